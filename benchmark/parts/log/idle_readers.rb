# frozen_string_literal: true

require_relative "../../support/log_part"

module Bench
  # What readers hold to whom nothing is said.
  class IdleReaders < LogPart
    NAME = "waiting"
    NOTE = <<~TEXT
      9,000 readers, each of an open log of its own or all of one, on a Puma of three threads. Memory is what the process grew by (PSS); CPU is
      the process's while nothing is written, heartbeats included.
    TEXT
    ENTRIES = LogContenders::OURS
    READERS = 9000
    SECONDS = 3 * 60
    IDLE = 10

    Case = Struct.new(:contender, :name, :own)

    # Whatever --rounds says: a process grows once.
    def initialize(report, **options)
      super(report, **options, rounds: 1)
    end

    private

    def cases
      shared = entries & [SQLITE]
      entries.map { |contender| Case.new(contender, "a log each", true) } + shared.map { |contender| Case.new(contender, "one log", false) }
    end

    def measure
      @found = cases.to_h do |kind|
        progress("#{readers} readers, #{kind.name}: #{kind.contender}")
        [kind, @sites.with(kind.contender) { |site| measure_one(site, kind) }]
      end
    end

    def readers = @reduced ? 200 : READERS

    def measure_one(site, kind)
      same_output(site)
      site.worker.tell(:begin, prefix: "idle", count: kind.own ? readers : 1)
      running = site.readers("idle", readers, 1, path: kind.own ? "/answers/idle-%d" : "/answers/idle-0", idle: @reduced ? 1 : IDLE, limit: 120)
      { **running.opened, **running.idle }
    end

    def show
      @report.table(["", "readers", "KB/reader", "idle CPU %", "connected in s"], @found.map do |kind, found|
        [kind.contender.name, kind.name, number(found[:kb_per_reader]), number(cpu(found)), number(found[:open_ms] / 1000)]
      end)
      @found.each do |kind, found|
        target("#{kind.contender}, #{kind.name}: memory of a reader", "<= 14", found[:kb_per_reader], "KB")
        target("#{kind.contender}, #{kind.name}: idle CPU", "<= 1", cpu(found), "%")
      end
    end

    def cpu(found) = 100 * found[:cpu_s] / (@reduced ? 1 : IDLE)
  end
end
