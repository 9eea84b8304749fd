# frozen_string_literal: true

require_relative "../../support/log_part"

module Bench
  # Many readers of one log, some of whom do not read.
  class OneLog < LogPart
    NAME = "audience"
    NOTE = <<~TEXT
      2,000 readers of one log on SQLite, 50 entries a second, on a Puma of three threads; all of them read, or 20 do not. First come
      512 KiB of text, so that the connections of those are full. CPU is the web server's, by entry and reader.
    TEXT
    ENTRIES = [LogContenders::SQLITE].freeze
    READERS = 2000
    SILENT = 20
    PER_SECOND = 50
    MESSAGES = 400
    FIRST = { bytes: 512 * 1024, messages: 64 }.freeze
    POINTS = %i[p50 p99 max].freeze
    SECONDS = 5 + (2 * (3 + (MESSAGES / PER_SECOND) + 2))

    private

    def measure
      @found = { 0 => [], SILENT => [] }
      @rounds.times do |round|
        @sites.with(SQLITE) do |site|
          same_output(site)
          @found.each do |silent, results|
            progress("round #{round + 1} of #{@rounds}: #{silent} of #{readers} not reading")
            results << measure_one(site, silent)
          end
        end
      end
    end

    def readers = @reduced ? 100 : READERS

    def messages = @reduced ? 50 : MESSAGES

    def measure_one(site, silent)
      prefix = "silent#{silent}"
      site.worker.tell(:begin, prefix: prefix, count: 1)
      reading = readers - silent
      running = site.readers(prefix, reading, messages, path: "/answers/#{prefix}-0", silent: silent)
      site.worker.tell(:stuff, **FIRST)
      sent = site.worker.tell(:send, per_second: PER_SECOND, messages: messages)[:sent]
      found = running.result(sent * reading)
      site.worker.tell(:close)
      faultless!(site.contender, found)
      found
    end

    def show
      @report.table(["not reading", "p50 ms", "p99 ms", "max ms", "CPU us/entry and reader"],
                    @found.map { |silent, results| [silent.to_s, *POINTS.map { |point| number(delay(results, point)) }, number(cpu(results))] })
      target("p99 with #{SILENT} that do not read, more than without", "<= 1", delay(@found[SILENT], :p99) - delay(@found[0], :p99), "ms")
      @found.each { |silent, results| target("CPU by entry and reader, #{silent} not reading", "<= 3", cpu(results), "us") }
    end

    def delay(results, point) = median(results) { |result| result[:delay_us][point] / 1000.0 }

    def cpu(results)
      running = results.filter_map { |result| result[:running] }
      median(running) { |part| part[:cpu_s] * 1e6 / part[:messages] } unless running.empty?
    end
  end
end
