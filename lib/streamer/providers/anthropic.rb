# frozen_string_literal: true

module Streamer
  module Providers
    # Anthropic's messages. Its body must have max_tokens; 4096 unless told otherwise.
    class Anthropic < Provider
      declare base_url: "https://api.anthropic.com",
              path: "/v1/messages",
              key: ["x-api-key", "%s"],
              headers: { "anthropic-version" => "2023-06-01" },
              body: { stream: true, max_tokens: 4096 },
              done: { event: "message_stop" },
              error: "error",
              text: "delta.text",
              values: { index: "index", block: "content_block", arguments: "delta.partial_json" },
              kept: { finish_reason: "delta.stop_reason", input_tokens: "message.usage.input_tokens",
                      output_tokens: "usage.output_tokens" }

      def pieces(found) # :nodoc:
        block = found[:block]
        if found[:text]
          yield found[:text], nil
        elsif found[:arguments]
          yield nil, { index: found[:index], arguments: found[:arguments] }
        elsif block && block["type"] == "tool_use"
          yield nil, { index: found[:index], id: block["id"], name: block["name"] }
        end
      end

      private

      # The system's word is no message here.
      def conversation(messages)
        system, others = parted(messages)
        { system: system, messages: others }.compact
      end
    end

    register :anthropic, Anthropic
  end
end
