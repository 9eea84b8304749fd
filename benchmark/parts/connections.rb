# frozen_string_literal: true

require_relative "../support/part"

module Bench
  # Whether a connection costs more by token the more streams it carries.
  class Connections < Part
    NAME = "connections"
    NOTE = <<~TEXT
      1, 10 and 100 streams on one HTTP/2 connection, 500 tokens a second altogether: CPU by token while all are running, without starts and ends.
    TEXT
    LOADS = [1, 10, 100].map { |streams| Load.new(streams: streams, tokens: 4000 / streams, us: 2000 * streams, limit: 60) }.freeze
    ENTRIES = [Contenders::RELAY, Contenders::GO].flat_map { |way| way.over(H2) }.freeze
    MOST = 1.15

    def run
      @cpu = Hash.new { |all, entry| all[entry] = [] }
      super
      @cpu.each do |entry, costs|
        next unless entry.contender == RELAY && costs.all?

        target("#{entry}: CPU by token with 1, 10 and 100 streams, most against least", "<= #{MOST}", costs.max / costs.min, "×")
      end
    end

    private

    def show(found)
      table("#{found.load}.", found,
            "p50 ms" => number { |entry| found.delay(entry, :p50) }, "p99 ms" => number { |entry| found.delay(entry, :p99) },
            "running, CPU us/token" => number { |entry| found.running_cpu(entry) })
      found.entries.each { |entry| @cpu[entry] << found.running_cpu(entry) }
    end
  end
end
