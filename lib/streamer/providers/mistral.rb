# frozen_string_literal: true

module Streamer
  module Providers
    # Mistral's chat completions: as OpenAI's, with the usage unasked. A tool call comes in one piece.
    class Mistral < OpenAI
      declare base_url: "https://api.mistral.ai/v1", body: { stream_options: nil }

      # A model that thinks sends its content in parts.
      def pieces(found)
        text = found[:text]
        text = text.filter_map { |part| part["text"] if part["type"] == "text" }.join if text.is_a?(Array)
        super(found.merge(text: text))
      end
    end

    register :mistral, Mistral
  end
end
