# frozen_string_literal: true

module Streamer
  module Providers
    # Anthropic's messages. Its body must have max_tokens; 4096 unless told otherwise.
    class Anthropic < Provider
      # Only deltas of text have a "text"; those of thinking have "thinking". The usage of message_delta is cumulative, and seldom has
      # all that message_start had.
      declare base_url: "https://api.anthropic.com",
              path: "/v1/messages",
              key: ["x-api-key", "%s"],
              headers: { "anthropic-version" => "2023-06-01" },
              body: { stream: true, max_tokens: 4096 },
              done: { event: "message_stop" },
              error: "error",
              text: "delta.text",
              usage: %w[message.usage usage],
              values: { index: "index", block: "content_block", arguments: "delta.partial_json" },
              kept: { finish_reason: "delta.stop_reason", input_tokens: "usage.input_tokens|message.usage.input_tokens",
                      output_tokens: "usage.output_tokens|message.usage.output_tokens" }

      # A block of another type begins something that is no call of the application's: tools that Anthropic runs (server_tool_use,
      # mcp_tool_use) have arguments, too.
      def tool_calls(found)
        block = found[:block]
        return [{ index: found[:index], arguments: found[:arguments] }] if found[:arguments]
        return [] unless block.is_a?(Hash)
        return [{ index: found[:index], begins: true }] unless block["type"] == "tool_use"

        input = block["input"] unless [nil, "", {}].include?(block["input"]) # it follows in pieces
        [{ index: found[:index], id: block["id"], name: block["name"], arguments: input, begins: true }]
      end

      private

      # The system's prompt is not a message here.
      def conversation(messages)
        system, others = parted(messages)
        { system: system, messages: others }.compact
      end
    end

    register :anthropic, Anthropic
  end
end
