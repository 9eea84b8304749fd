# frozen_string_literal: true

require_relative "../support/part"

module Bench
  # What a stream holds while it is open.
  class Memory < Part
    NAME = "memory"
    NOTE = "Memory is what a process and its children grew by while all streams were open; each round has new servers."
    LOADS = [Load.new(streams: 1000, tokens: 20, us: 500_000, limit: 60)].freeze
    ENTRIES = PROTOCOLS.flat_map { |protocol| [Contenders::RELAY, Contenders::GO, Contenders::NGINX].flat_map { |way| way.over(protocol) } }.freeze

    def self.fresh? = true

    private

    def show(found)
      memory = ->(entry) { found.memory(entry, fresh: true) }
      table("#{found.load}.", found,
            "p50 ms" => number { |entry| found.delay(entry, :p50) }, "p99 ms" => number { |entry| found.delay(entry, :p99) },
            "first token ms" => number { |entry| found.first_token(entry) },
            "CPU us/token" => number { |entry| found.cpu(entry) }, "KB/stream" => number(&memory))
      targets(found, RELAY, { H2 => "<= 20", H1 => "<= 65", PLAIN => "<= 20" }, "memory of a stream", "KB", &memory)
    end
  end
end
