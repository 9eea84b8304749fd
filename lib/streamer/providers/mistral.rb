# frozen_string_literal: true

module Streamer
  module Providers
    # Mistral's chat completions: as OpenAI's, with the usage unasked. A tool call comes in one piece.
    class Mistral < OpenAI
      declare base_url: "https://api.mistral.ai/v1", body: { stream_options: nil }
    end

    register :mistral, Mistral
  end
end
