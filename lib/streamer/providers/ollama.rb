# frozen_string_literal: true

module Streamer
  module Providers
    # Ollama's chat, NDJSON. A tool call comes in one piece. The last line has done: true. What a model thinks is in message.thinking.
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

      # The arguments are an object; an index, if any, is the function's.
      def tool_calls(found)
        super.map { |call| { **call, index: nil, begins: true } }
      end
    end

    register :ollama, Ollama
  end
end
