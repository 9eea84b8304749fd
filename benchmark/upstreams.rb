# frozen_string_literal: true

require_relative "support/contest"
require_relative "support/servers"

module Bench
  # Very many upstreams in one Ruby process and one thread of it, each way in a process of its own (apps/upstreams.rb).
  class Upstreams
    # name => the script's word for it
    WAYS = { "streamer, a task for each" => "tasks", "streamer, Streamer.merge in a plain thread" => "merge",
             "async-http, a task for each" => "async_http" }.freeze
    BASELINE = "async-http, a task for each"

    TOKENS = 20
    EVERY = 1_000_000 # microseconds
    COUNTS = [500, 2000, 5000].freeze
    QUICK_COUNTS = [100, 500].freeze

    def initialize(size)
      @size = size
    end

    def check
      Servers.open { |servers| check_all(servers) }
    end

    # In seconds, about; making and closing so many connections is a third of it.
    def seconds = counts.size * WAYS.size * @size.relay_rounds * TOKENS * EVERY / 1e6 * 1.5

    def run(report)
      report.section("upstreams", <<~NOTE.tr("\n", " ").strip)
        Event streams of an OpenAI chat, one token a second each, open at once in one thread; the block gets each token's text. The delay is
        from the upstream's queue to the block. A wait is the scheduler's io_wait. Memory is what the process grew by, by stream. CPU is the
        whole process's, the making of the connections included.
      NOTE
      @report = report
      Servers.open do |servers|
        check_all(servers)
        found = counts.to_h { |count| [count, measure(servers, count)] }
        linear(found) if @size.long_relay
      end
    end

    private

    SAMPLE = 20

    def counts = @size.long_relay ? COUNTS : QUICK_COUNTS

    def check_all(servers)
      expected = SAMPLE * SAMPLE
      WAYS.each do |name, way|
        result = servers.client("upstreams.rb", way, SAMPLE, SAMPLE, 1000)
        next if result.values_at(:tokens, :out_of_order) == [expected, 0]

        raise Contest::Different, "upstreams: #{name} gave #{result} instead of #{expected} tokens in their order"
      end
    end

    # { name => { measure => median } }
    def measure(servers, count)
      results = Hash.new { |all, name| all[name] = [] }
      @size.relay_rounds.times do |round|
        WAYS.each do |name, way|
          @report.progress("round #{round + 1} of #{@size.relay_rounds}: #{count} streams: #{name}")
          results[name] << servers.client("upstreams.rb", way, count, TOKENS, EVERY)
        end
      end
      show(count, results.transform_values { |rounds| medians(count, rounds) })
    end

    def medians(count, rounds)
      tokens = count * TOKENS
      { cpu: rounds.map { |result| result[:cpu_s] * 1e6 / tokens },
        p50: rounds.map { |result| result[:delay_us][0] / 1000.0 },
        p99: rounds.map { |result| result[:delay_us][1] / 1000.0 },
        waits: rounds.filter_map { |result| result[:waits]&.fdiv(tokens) },
        threads: rounds.map { |result| result[:threads] },
        kb: rounds.map { |result| result[:kb].fdiv(count) },
        lost: [rounds.sum { |result| tokens - result[:tokens] + result[:out_of_order] }] }
        .transform_values { |numbers| Bench.median(numbers) unless numbers.empty? }
    end

    def show(count, found)
      @report.note("#{count} streams of #{TOKENS} tokens.")
      base = found[BASELINE][:cpu]
      @report.table(["", "CPU us/token", "ratio", "p50 ms", "p99 ms", "waits/token", "threads more", "KB/stream", "lost"],
                    found.map do |name, values|
                      [name, @report.number(values[:cpu]), @report.ratio(values[:cpu] / base),
                       *values.values_at(:p50, :p99, :waits, :threads, :kb, :lost).map { |number| @report.number(number) }]
                    end)
      found
    end

    def linear(found)
      first, last = found.values_at(COUNTS.first, COUNTS.last)
      WAYS.keys.grep(/streamer/).each do |name|
        @report.target("#{name}: CPU for a token with #{COUNTS.last} streams against #{COUNTS.first}", "<= 1.5",
                       last[name][:cpu] / first[name][:cpu], "×")
        @report.target("#{name}: threads for #{COUNTS.last} streams", "<= 1", last[name][:threads])
      end
    end
  end
end
