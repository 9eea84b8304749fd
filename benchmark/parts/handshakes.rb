# frozen_string_literal: true

require_relative "../support/part"

module Bench
  # Whether streams that begin delay those that are running.
  class Handshakes < Part
    NAME = "handshakes"
    NOTE = <<~TEXT
      200 streams are running when 200 more begin at once. Over https with HTTP/1.1 each of these needs a handshake, over HTTP/2 they share two
      or three. "beside" is the delay of the running streams' tokens until the last of the others had its first; each round has new servers.
    TEXT
    LOADS = [Load.new(streams: 200, tokens: 60, us: 50_000, limit: 60, newcomers: 200)].freeze
    ENTRIES = PROTOCOLS.flat_map { |protocol| [Contenders::RELAY, Contenders::GO, Contenders::NGINX].flat_map { |way| way.over(protocol) } }.freeze

    def self.fresh? = true

    private

    # The newcomers begin at the half.
    def load_seconds(load) = load.seconds + (load.tokens * load.us / 2e6)

    def show(found)
      table("#{found.load}, and #{found.load.newcomers} more that begin meanwhile.", found,
            "p99 ms" => number { |entry| found.delay(entry, :p99) },
            "p50 beside" => number { |entry| found.beside(entry, :p50) }, "p99 beside" => number { |entry| found.beside(entry, :p99) },
            "their first token ms" => number { |entry| found.newcomers_first_token(entry) })
      targets(found, RELAY, PROTOCOLS.to_h { |protocol| [protocol, "<= 5"] }, "p99 of running streams beside 200 that begin", "ms") do |entry|
        found.beside(entry, :p99)
      end
    end
  end
end
