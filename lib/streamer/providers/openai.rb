# frozen_string_literal: true

module Streamer
  module Providers
    # OpenAI's chat completions, and what is compatible with them (base_url:): Azure, OpenRouter, Groq, DeepSeek, vLLM and many more. For
    # one choice: several (n:) would come one by one, and be taken for one.
    class OpenAI < Provider
      # The content is a String or an Array of parts. What some servers send beside it (reasoning_content, reasoning) is no text.
      # OpenRouter has errors in a choice, Groq in x_groq, vLLM as an object of its own; Moonshot has the usage in a choice, Groq had it in x_groq.
      declare base_url: "https://api.openai.com/v1",
              path: "/chat/completions",
              key: ["authorization", "Bearer %s"],
              body: { stream: true, stream_options: { include_usage: true } },
              done: "[DONE]",
              error: "error|choices.0.error|x_groq.error|choices.0.finish_reason{=error}|object{=error}",
              text: "choices.0.delta.content|choices.0.delta.content.*{type=text}.text|choices.0.delta.refusal",
              refusal: "choices.0.delta.refusal",
              usage: %w[usage choices.0.usage x_groq.usage],
              values: { tool_calls: "choices.0.delta.tool_calls", function_call: "choices.0.delta.function_call" },
              kept: { finish_reason: "choices.0.finish_reason",
                      input_tokens: "usage.prompt_tokens|choices.0.usage.prompt_tokens|x_groq.usage.prompt_tokens",
                      output_tokens: "usage.completion_tokens|choices.0.usage.completion_tokens|x_groq.usage.completion_tokens" }

      # The function call is what tool calls were before there were several.
      def tool_calls(found)
        function = found[:function_call]
        return super unless function.is_a?(Hash)

        super << { index: :function_call, name: function["name"], arguments: function["arguments"] }
      end
    end

    register :openai, OpenAI
  end
end
