# frozen_string_literal: true

module Streamer
  module Providers
    # Mistral's chat completions: as OpenAI's, with the usage unasked. A tool call comes in one piece. The content of a model that reasons
    # is an Array of parts, of which those of the type "text" are text.
    class Mistral < OpenAI
      declare base_url: "https://api.mistral.ai/v1", body: { stream_options: nil }
    end

    register :mistral, Mistral
  end
end
