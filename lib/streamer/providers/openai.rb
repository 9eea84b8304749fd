# frozen_string_literal: true

module Streamer
  module Providers
    # OpenAI's chat completions, and what is compatible with them (base_url:).
    class OpenAI < Provider
      declare base_url: "https://api.openai.com/v1",
              path: "/chat/completions",
              key: ["authorization", "Bearer %s"],
              body: { stream: true, stream_options: { include_usage: true } },
              done: "[DONE]",
              error: "error",
              text: "choices.0.delta.content",
              values: { tool_calls: "choices.0.delta.tool_calls" },
              kept: { finish_reason: "choices.0.finish_reason", input_tokens: "usage.prompt_tokens",
                      output_tokens: "usage.completion_tokens" }
    end

    register :openai, OpenAI
  end
end
