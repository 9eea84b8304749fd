# frozen_string_literal: true

require_relative "../support/part"

module Bench
  # A Ruby thread that computes, in the process that relays.
  class Busy < Part
    NAME = "busy"
    NOTE = "With one busy Ruby thread in the process, over https: each with HTTP/2 if it speaks that."
    LOADS = [Load.new(streams: 10, tokens: 100, us: 20_000, limit: 30)].freeze
    WAYS = [Contenders::RELAY, Contenders::EVENTS, Contenders::VALUES, Contenders::LIVE, Contenders::ASYNC].freeze
    ENTRIES = WAYS.flat_map { |way| way.best(H2, H1) }.freeze

    private

    # Everything is slower.
    def load_seconds(load) = load.seconds + 1.5

    def prepare(servers)
      super
      entries.map { |entry| entry.in(servers) }.uniq.each { |server| server.get("/busy?threads=1") }
    end

    def show(found)
      table("#{found.load}, beside one busy Ruby thread.", found,
            "p50 ms" => number { |entry| found.delay(entry, :p50) }, "p99 ms" => number { |entry| found.delay(entry, :p99) },
            "first token ms" => number { |entry| found.first_token(entry) })
      targets(found, RELAY, { H2 => "< 5" }, "p99 with one busy Ruby thread", "ms") { |entry| found.delay(entry, :p99) }
      targets(found, RELAY, { H2 => "<= 1" }, "p50 with one busy Ruby thread", "ms") { |entry| found.delay(entry, :p50) }
      targets(found, VALUES, { H2 => "<= 300" }, "p99 with one busy Ruby thread", "ms") { |entry| found.delay(entry, :p99) }
    end
  end
end
