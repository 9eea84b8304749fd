# frozen_string_literal: true

module Streamer
  module Providers
    # Gemini's streamGenerateContent, as an event stream. A tool call comes in one piece. There is no end marker.
    class Gemini < Provider
      declare base_url: "https://generativelanguage.googleapis.com/v1beta",
              path: "/models/%s:streamGenerateContent?alt=sse",
              key: ["x-goog-api-key", "%s"],
              error: "error",
              text: "candidates.0.content.parts.0.text",
              values: { parts: "candidates.0.content.parts" },
              kept: { finish_reason: "candidates.0.finishReason", input_tokens: "usageMetadata.promptTokenCount",
                      output_tokens: "usageMetadata.candidatesTokenCount" }

      MODEL = %r{\A[\w-]+(?:[./][\w-]+)*\z}
      private_constant :MODEL

      def pieces(found) # :nodoc:
        found[:parts]&.each do |part|
          if (call = part["functionCall"])
            yield nil, { id: call["id"], name: call["name"], arguments: JSON.generate(call["args"] || {}) }
          elsif part["text"] && !part["thought"]
            yield part["text"], nil
          end
        end
      end

      private

      def path(model)
        raise ArgumentError, "#{model.inspect} cannot be the name of a model" unless model.match?(MODEL)

        format(declared(:path), model)
      end

      def addressed(_model) = {}

      def conversation(messages)
        system, others = parted(messages)
        turns = others.map { |message| turn(**message.transform_keys(&:to_sym)) }
        { systemInstruction: (content(system) if system), contents: turns }.compact
      end

      def turn(role:, content:)
        { role: role.to_s == "assistant" ? "model" : role.to_s, **content(content) }
      end

      def content(text) = { parts: text.is_a?(String) ? [{ text: text }] : text }
    end

    # The same as one JSON array that grows, which is what Gemini sends unless asked for an event stream.
    class GeminiArray < Gemini
      declare path: "/models/%s:streamGenerateContent"
    end

    register :gemini, Gemini
    register :gemini_array, GeminiArray
  end
end
