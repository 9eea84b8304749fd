# frozen_string_literal: true

module Streamer
  module Providers
    # Gemini's streamGenerateContent, as an event stream. There is no end marker.
    class Gemini < Provider
      # A part that is marked as a thought is no text. Where the prompt is blocked there are no candidates, and the reason is the prompt's.
      declare base_url: "https://generativelanguage.googleapis.com/v1beta",
              path: "/models/%s:streamGenerateContent?alt=sse",
              key: ["x-goog-api-key", "%s"],
              error: "error",
              text: "candidates.0.content.parts.*{!thought}.text",
              usage: "usageMetadata",
              values: { calls: "candidates.0.content.parts.*.functionCall" },
              kept: { finish_reason: "candidates.0.finishReason|promptFeedback.blockReason",
                      input_tokens: "usageMetadata.promptTokenCount", output_tokens: "usageMetadata.candidatesTokenCount" }

      MODEL = %r{\A[\w-]+(?:[./][\w-]+)*\z}
      private_constant :MODEL

      # A call comes whole, or on Vertex AI, if it was asked for, value by value, with the name first.
      def tool_calls(found)
        hashes(found[:calls]).map do |call|
          label = { id: call["id"], name: call["name"], begins: !call["name"].nil? }
          next { **label, whole: JSON.generate(call["args"] || {}) } if call["name"] && !call["willContinue"] && !call["partialArgs"]

          { **label, values: hashes(call["partialArgs"]), more: call["willContinue"] == true }
        end
      end

      private

      def path(model)
        raise ArgumentError, "#{model.inspect} is not the name of a model" unless model.match?(MODEL)

        format(declared(:path), model)
      end

      def addressed(_model) = {}

      def conversation(messages)
        system, others = parted(messages)
        contents = others.map { |message| content(**message.transform_keys(&:to_sym)) }
        { systemInstruction: ({ parts: parts(system) } if system), contents: contents }.compact
      end

      def content(role:, content:)
        { role: role.to_s == "assistant" ? "model" : role.to_s, parts: parts(content) }
      end

      def parts(content) = content.is_a?(String) ? [{ text: content }] : content
    end

    # The same as a JSON array whose elements arrive one by one, which is what Gemini sends unless asked for an event stream.
    class GeminiArray < Gemini
      declare path: "/models/%s:streamGenerateContent"
    end

    register :gemini, Gemini
    register :gemini_array, GeminiArray
  end
end
