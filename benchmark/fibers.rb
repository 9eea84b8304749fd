# frozen_string_literal: true

require_relative "relay"

module Bench
  # The relay in fibers, on Falcon, against the ways that its users have without us.
  class Fibers < Relay
    ROUNDS = 5

    def initialize(size)
      super(size.dup)
      @size.relay_rounds = [@size.relay_rounds, ROUNDS].max if @size.long_relay
    end

    def run(report)
      report.section("fibers", <<~NOTE.tr("\n", " ").strip)
        The same relay on Falcon, where each stream is a fiber: medians of #{@size.relay_rounds} rounds in which the contenders take turns.
        "bare" is without Rails on either side; async-http reads for event_stream_parser and JSON.parse.
      NOTE
      @report = report
      Servers.open do |servers|
        check_all(servers)
        [@size.long_relay ? MANY : SHORT, FLAT].each { |load| side_by_side(servers, load) }
      end
    end

    private

    def all = [BARE, BARE_ASYNC, FALCON, ASYNC]

    def side_by_side(servers, load)
      found = measure(servers, load, contenders(servers))
      table("#{load}.", found, BARE_ASYNC, :cpu)
      return at_most(0.05, found, BARE, BARE_ASYNC, load, "CPU") { |way| cpu(found, way) } if load == FLAT

      at_most(0.6, found, BARE, BARE_ASYNC, load, "CPU") { |way| cpu(found, way) }
      at_most(0.2, found, BARE, BARE_ASYNC, load, "p99") { |way| delay(found, way, :p99) }
    end
  end
end
