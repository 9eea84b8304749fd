# frozen_string_literal: true

module Streamer
  module Providers
    # Ollama's chat, NDJSON. A tool call comes in one piece. The last line has done: true.
    class Ollama < Provider
      declare base_url: "http://localhost:11434",
              path: "/api/chat",
              key: ["authorization", "Bearer %s"],
              body: { stream: true },
              done: { value: "done" },
              error: "error",
              text: "message.content",
              values: { tool_calls: "message.tool_calls" },
              kept: { finish_reason: "done_reason", input_tokens: "prompt_eval_count", output_tokens: "eval_count" }

      def pieces(found) # :nodoc:
        yield found[:text], nil if found[:text]
        found[:tool_calls]&.each do |call|
          function = call["function"]
          yield nil, { id: call["id"], name: function["name"], arguments: JSON.generate(function["arguments"] || {}) }
        end
      end
    end

    register :ollama, Ollama
  end
end
