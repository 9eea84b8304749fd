# frozen_string_literal: true

require_relative "support/parts_stage"
require_relative "parts/steady"
require_relative "parts/applications"
require_relative "parts/busy"
require_relative "parts/handshakes"
require_relative "parts/connections"
require_relative "parts/memory"
require_relative "parts/first_token"
require_relative "parts/crowd"
require_relative "parts/everyone"

module Bench
  # The relay: from an upstream to many browsers, through real servers, over https and plain HTTP. One core for the server,
  # another for the upstream, its TLS front and the load generator, which checks that every token arrives once and in order.
  # The delay of a token is from the upstream's queue to the load generator.
  class Relay < PartsStage
    PARTS = [Steady, Applications, Busy, Handshakes, Connections, Memory, FirstToken, Crowd, Everyone].freeze

    # What README.md shows.
    GROUPS = { "readme" => [Steady, Applications, Busy].map { |part| part::NAME } }.freeze
  end
end
