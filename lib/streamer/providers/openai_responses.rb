# frozen_string_literal: true

module Streamer
  module Providers
    # OpenAI's responses. The stream is one of typed events; response.failed and response.incomplete end it, too.
    class OpenAIResponses < Provider
      declare base_url: "https://api.openai.com/v1",
              path: "/responses",
              key: ["authorization", "Bearer %s"],
              body: { stream: true },
              done: { event: %w[response.completed response.incomplete response.failed] },
              error: "response.error",
              text: "delta",
              from: "response.output_text.delta",
              values: { type: "type", item: "item", index: "output_index", failure: "response.error" },
              kept: { finish_reason: "response.status", input_tokens: "response.usage.input_tokens",
                      output_tokens: "response.usage.output_tokens" }

      def pieces(found) # :nodoc:
        raise UpstreamError, JSON.generate(error: found[:failure]) if found[:failure]

        case found[:type]
        when declared(:from) then yield found[:text], nil
        when "response.function_call_arguments.delta" then yield nil, { index: found[:index], arguments: found[:text] }
        when "response.output_item.added"
          item = found[:item]
          yield nil, { index: found[:index], id: item["call_id"], name: item["name"] } if item["type"] == "function_call"
        end
      end

      private

      def conversation(messages) = { input: messages }
    end

    register :openai_responses, OpenAIResponses
  end
end
