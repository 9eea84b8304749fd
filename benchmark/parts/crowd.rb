# frozen_string_literal: true

require_relative "../support/part"

module Bench
  # As many streams as a chat with many users has, and other requests that are answered meanwhile.
  class Crowd < Part
    NAME = "crowd"
    NOTE = "In one Puma with 5 threads. An ordinary JSON action is asked 200 times, every 50 ms, before and while all streams are open."
    LOADS = [Load.new(streams: 9000, tokens: 10, us: 5_000_000, limit: 150)].freeze
    ENTRIES = Contenders::RELAY.over(H2, PLAIN).freeze

    REQUESTS = 200
    EVERY = 0.05

    # Whatever --rounds says: once, with new servers.
    def initialize(report, **options)
      super(report, **options, rounds: 1)
    end

    private

    def load_seconds(load) = load.seconds + (REQUESTS * EVERY)

    def measure_round(servers, found, _round)
      @idle = {}
      @meanwhile = {}
      entries.each do |entry|
        server = entry.in(servers)
        @idle[entry] = json_time(server)
        @report.progress("#{NAME}: #{found.load}: #{entry}")
        running = Thread.new { servers.load(server, entry.path, **found.load.to_h) }
        wait_open(server, found.load, running)
        @meanwhile[entry] = json_time(server)
        raise Contest::Different, "#{entry}: not all streams were open while the action was asked" unless open_streams(server) == found.load.streams

        found.add(entry, running.value)
      end
    end

    # The first streams end after a while: a machine on which not all have begun by then is too slow for this.
    def wait_open(server, load, running)
      most = 0
      until (open = open_streams(server)) == load.streams
        raise Contest::Different, "at most #{most} of #{load.streams} streams were open at once" unless running.alive?

        most = [most, open].max
        sleep 0.1
      end
    end

    def open_streams(server) = Integer(server.get("/rails/open"))

    # The median, in milliseconds.
    def json_time(server)
      times = Array.new(@reduced ? 5 : REQUESTS) do
        sleep EVERY
        started = now
        server.get("/rails/json")
        (now - started) * 1000
      end
      Bench.median(times)
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    def show(found)
      memory = ->(entry) { found.memory(entry) }
      slower = ->(entry) { @meanwhile[entry] / @idle[entry] }
      table("#{found.load}.", found,
            "KB/stream" => number(&memory), "p99 ms" => number { |entry| found.delay(entry, :p99) },
            "JSON idle ms" => number { |entry| @idle[entry] }, "JSON meanwhile ms" => number { |entry| @meanwhile[entry] })
      targets(found, RELAY, { H2 => "<= 24", PLAIN => "<= 24" }, "memory of a stream", "KB", &memory)
      targets(found, RELAY, { H2 => "<= 2", PLAIN => "<= 2" }, "a JSON action's median against idle", "×", &slower)
    end
  end
end
