# frozen_string_literal: true

module Streamer
  module Providers
    # Cohere's chat, version 2. Thinking and plans for tools are in delta.message.content.thinking and delta.message.tool_plan.
    class Cohere < Provider
      declare base_url: "https://api.cohere.com/v2",
              path: "/chat",
              key: ["authorization", "Bearer %s"],
              body: { stream: true },
              done: { event: "message-end", value: "delta.finish_reason" },
              error: "error|delta.error|delta.finish_reason{=ERROR}",
              text: "delta.message.content.text",
              usage: "delta.usage",
              values: { index: "index", tool_calls: "delta.message.tool_calls" },
              kept: { finish_reason: "delta.finish_reason",
                      input_tokens: "delta.usage.tokens.input_tokens|delta.usage.billed_units.input_tokens",
                      output_tokens: "delta.usage.tokens.output_tokens|delta.usage.billed_units.output_tokens" }

      # An event has one call, whose index is the event's.
      def tool_calls(found)
        super.map { |call| { **call, index: found[:index] } }
      end
    end

    register :cohere, Cohere
  end
end
