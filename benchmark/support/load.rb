# frozen_string_literal: true

module Bench
  # What a load generator does at once. us: between two tokens of a stream; limit: seconds, after which the rest counts as lost;
  # newcomers: streams that begin when half of the tokens were here.
  Load = Struct.new(:streams, :tokens, :us, :limit, :newcomers, keyword_init: true) do
    def initialize(streams:, tokens:, us:, limit:, newcomers: 0) = super

    def to_s = "#{streams} × #{tokens} tokens, #{pace}"

    def pace
      return "as fast as they go" if us.zero?

      us > 1_000_000 ? "one in #{us / 1_000_000} s each" : "#{1_000_000 / us} a second each"
    end

    # What it takes about, with the start of so many requests.
    def seconds = 0.3 + (tokens * us / 1e6) + ((streams + newcomers) * 0.003)

    # Enough to see that it works.
    def reduced = Load.new(**to_h, streams: [streams, 20].min, tokens: [tokens, 30].min, newcomers: [newcomers, 20].min)
  end
end
