# frozen_string_literal: true

require_relative "../support/part"

module Bench
  # Every contender over every protocol that it speaks.
  class Everyone < Part
    NAME = "everyone"
    NOTE = <<~TEXT
      Every contender over every protocol that it speaks; Net::HTTP and nginx speak no HTTP/2 to upstreams. Ratios are against nginx, for HTTP/2
      against nginx over https with HTTP/1.1. Memory is what a process and its children grew by in the first round.
    TEXT
    LOADS = [Load.new(streams: 200, tokens: 100, us: 50_000, limit: 60), Load.new(streams: 10, tokens: 2000, us: 0, limit: 30)].freeze
    ENTRIES = PROTOCOLS.flat_map { |protocol| Contenders::ALL.flat_map { |way| way.over(protocol) } }.freeze

    private

    def show(found)
      cpu = ->(entry) { found.cpu(entry) }
      columns = { "p50 ms" => number { |entry| found.delay(entry, :p50) }, "p99 ms" => number { |entry| found.delay(entry, :p99) },
                  "first token ms" => number { |entry| found.first_token(entry) },
                  "CPU us/token" => number(&cpu), "CPU against nginx" => ratio(found, NGINX, &cpu) }
      columns["KB/stream"] = number { |entry| found.memory(entry) } unless found.load.us.zero?
      table("#{found.load}.", found, columns)
    end
  end
end
