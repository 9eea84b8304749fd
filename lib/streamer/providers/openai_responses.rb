# frozen_string_literal: true

module Streamer
  module Providers
    # OpenAI's responses: a stream of typed events, which response.failed and response.incomplete end, too. What the API does by itself
    # (web search, MCP and others) and reasoning are items of other types, and not read. With `background: true` it can be read on where it was
    # cut off, for about ten minutes.
    class OpenAIResponses < Provider
      declare base_url: "https://api.openai.com/v1",
              path: "/responses",
              key: ["authorization", "Bearer %s"],
              body: { stream: true },
              done: { event: %w[response.completed response.incomplete response.failed] },
              error: "response.error|error|response.status{=failed}",
              text: "delta",
              from: %w[response.output_text.delta response.refusal.delta],
              refusal: "refusal", # of response.refusal.done
              usage: "response.usage",
              background: { id: "response.id", cursor: "sequence_number", read: "/responses/%s?stream=true", after: "&starting_after=%s",
                            cancel: "/responses/%s/cancel" },
              values: { type: "type", delta: "delta", index: "output_index", key: "item_id", item: "item", output: "response.output",
                        name: "name", arguments: "arguments|input" },
              kept: { finish_reason: "response.incomplete_details.reason|#{
                        %w[completed incomplete cancelled].map { |status| "response.status{=#{status}}" }.join("|")}",
                      input_tokens: "response.usage.input_tokens", output_tokens: "response.usage.output_tokens" }

      # Items that are calls of the application's tools, and where they have their arguments.
      CALLS = { "function_call" => "arguments", "custom_tool_call" => "input" }.freeze
      private_constant :CALLS

      # A call is said up to four times: in pieces, when its arguments are complete, when its item is, and when the response is. Not all
      # servers say all of them.
      def tool_calls(found)
        case found[:type]
        when "response.function_call_arguments.delta", "response.custom_tool_call_input.delta"
          [{ **found.slice(:index, :key), arguments: found[:delta], opaque: true }]
        when "response.function_call_arguments.done", "response.custom_tool_call_input.done"
          [{ **found.slice(:index, :key, :name), whole: found[:arguments], opaque: true }]
        when "response.output_item.added" then calls(found[:item], found[:index]).each { |call| call.delete(:whole) if call[:whole] == "{}" }
        when "response.output_item.done" then calls(found[:item], found[:index])
        when "response.completed", "response.incomplete" then calls(found[:output])
        else []
        end
      end

      private

      # Of one item, whose index is given, or of all.
      def calls(items, index = nil)
        hashes(items).each_with_index.filter_map do |item, position|
          next unless (arguments = CALLS[item["type"]])

          { index: index || position, key: item["id"], id: item["call_id"], name: item["name"], whole: item[arguments], opaque: true }
        end
      end

      def conversation(messages) = { input: messages }
    end

    register :openai_responses, OpenAIResponses
  end
end
