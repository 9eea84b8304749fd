# frozen_string_literal: true

module Streamer
  module Providers
    # Gemini's interactions: a stream of typed events. With `background: true` it can be read on where it was cut off.
    class GeminiInteractions < Provider
      # The second name of each event is the one of before 2026.
      declare base_url: "https://generativelanguage.googleapis.com/v1beta",
              path: "/interactions",
              key: ["x-goog-api-key", "%s"],
              body: { stream: true },
              done: { event: %w[interaction.completed interaction.complete] },
              error: "error|interaction.status{=failed}",
              text: "delta.text",
              from: %w[step.delta content.delta],
              usage: "interaction.usage",
              background: { id: "interaction.id", cursor: "event_id", read: "/interactions/%s?stream=true", after: "&last_event_id=%s",
                            cancel: "/interactions/%s/cancel" },
              kept: { finish_reason: %w[completed incomplete cancelled requires_action].map { |status| "interaction.status{=#{status}}" }.join("|"),
                      input_tokens: "interaction.usage.total_input_tokens", output_tokens: "interaction.usage.total_output_tokens" }

      # Calls of the application's tools are not read.
      def tool_calls(_found) = []

      private

      def conversation(messages)
        system, others = parted(messages)
        { system_instruction: system, input: others.map { |message| turn(**message.transform_keys(&:to_sym)) } }.compact
      end

      def turn(role:, content:) = { role: role.to_s == "assistant" ? "model" : role.to_s, content: content }
    end

    register :gemini_interactions, GeminiInteractions
  end
end
