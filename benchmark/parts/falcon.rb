# frozen_string_literal: true

require_relative "../support/part"

module Bench
  # Each stream a fiber, against the ways that users of Falcon have without us.
  class OnFalcon < Part
    NAME = "paced"
    NOTE = <<~TEXT
      The relay on Falcon, where each stream is a fiber. "bare" is without Rails on either side; async-http reads for event_stream_parser and
      JSON.parse. Ratios are against async-http over the same protocol, with Rails against Rails and bare against bare.
    TEXT
    LOADS = [Load.new(streams: 200, tokens: 400, us: 50_000, limit: 90)].freeze
    WAYS = [Contenders::FALCON, Contenders::ASYNC, Contenders::BARE, Contenders::BARE_ASYNC].freeze
    ENTRIES = PROTOCOLS.flat_map { |protocol| WAYS.flat_map { |way| way.over(protocol) } }.freeze
    RIVALS = { Contenders::FALCON => Contenders::ASYNC, Contenders::ASYNC => Contenders::ASYNC,
               Contenders::BARE => Contenders::BARE_ASYNC, Contenders::BARE_ASYNC => Contenders::BARE_ASYNC }.freeze
    LIMITS = { Contenders::FALCON => { cpu: 0.5, p99: 0.5 } }.freeze

    private

    def show(found)
      values = { cpu: ->(entry) { found.cpu(entry) }, p99: ->(entry) { found.delay(entry, :p99) } }
      table("#{found.load}.", found,
            "p50 ms" => number { |entry| found.delay(entry, :p50) },
            "p99 ms" => number(&values[:p99]), "p99 against async-http" => against_async(found, &values[:p99]),
            "first token ms" => number { |entry| found.first_token(entry) },
            "CPU us/token" => number(&values[:cpu]), "CPU against async-http" => against_async(found, &values[:cpu]),
            "running" => number { |entry| found.running_cpu(entry) })
      self.class::LIMITS.each do |way, limits|
        limits.each do |what, limit|
          targets_against(found, way, RIVALS.fetch(way), PROTOCOLS.to_h { |protocol| [protocol, limit] }, what, &values[what])
        end
      end
    end

    def against_async(found, &block) = ->(entry) { ratio(found, RIVALS.fetch(entry.contender), &block).call(entry) }
  end

  # The same as fast as they go.
  class FlatOnFalcon < OnFalcon
    NAME = "flat"
    LOADS = [Load.new(streams: 10, tokens: 2000, us: 0, limit: 30)].freeze
    LIMITS = { Contenders::BARE => { cpu: 0.05 } }.freeze

    private

    # async-http takes that long.
    def load_seconds(load) = load.seconds + 0.5
  end
end
