# frozen_string_literal: true

require "socket"
require_relative "../../support/log_part"

module Bench
  # How long an upstream that says nothing is kept after somebody has asked to stop.
  class Stopping < LogPart
    NAME = "stop"
    NOTE = <<~TEXT
      A worker relays an upstream into a log; the upstream has fallen silent. The web server's process is asked to stop the log, and the time is
      from that request to the end of the upstream's connection. Wakes arrive, or the worker hears none of them. The first stop does not count.
    TEXT
    ENTRIES = LogContenders::OURS
    TIMES = { "with wakes" => 15, "without" => 4 }.freeze
    LIMITS = { "with wakes" => 100, "without" => 5000 }.freeze # milliseconds
    SECONDS = 3 * 18

    # Whatever --rounds says.
    def initialize(report, **options)
      super(report, **options, rounds: 1)
    end

    private

    def measure
      @found = entries.to_h { |contender| [contender, TIMES.keys.to_h { |kind| [kind, times(contender, kind)] }] }
    end

    # In milliseconds.
    def times(contender, kind)
      progress("#{kind}: #{contender}")
      @sites.with(contender) do |site|
        site.worker.tell(:deafen) if kind == "without"
        count = @reduced ? 1 : TIMES.fetch(kind)
        Array.new(count + 1) { |number| SilentUpstream.open { |upstream| time(site, upstream, "stop-#{number}") } }.drop(1)
      end
    end

    def time(site, upstream, id)
      site.worker.tell(:relay, id: id, url: upstream.url)
      sleep(rand) # somewhere between two looks
      start = now
      Net::HTTP.post(URI("http://127.0.0.1:#{site.web.port}/answers/#{id}/stop"), "")
      (upstream.ended_at - start) * 1000
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    def show
      @report.table(["", *LIMITS.keys.flat_map { |kind| ["#{kind}, median ms", "most"] }], @found.map do |contender, kinds|
        [contender.name, *LIMITS.keys.flat_map { |kind| [Bench.median(kinds[kind]), kinds[kind].max].map { |time| number(time) } }]
      end)
      @found.each do |contender, kinds|
        LIMITS.each { |kind, limit| target("#{contender}: upstream closed, #{kind}, most", "<= #{limit}", kinds[kind].max, "ms") }
      end
    end
  end

  # Says one token, and then waits for the end of the connection.
  class SilentUpstream
    SECONDS = 30
    EVENT = "data: {\"content\":\"Hello\"}\n\n"

    def self.open
      upstream = new
      yield upstream
    ensure
      upstream&.close
    end

    def initialize
      @server = TCPServer.new("127.0.0.1", 0)
      @thread = Thread.new { serve }
    end

    def url = "http://127.0.0.1:#{@server.local_address.ip_port}/"

    # Waits for it.
    def ended_at = @thread.join(SECONDS) ? @thread.value : raise(Contest::Different, "the upstream was not closed within #{SECONDS} s")

    def close
      @thread.kill
      @server.close
    end

    private

    def serve
      socket = @server.accept
      nil until socket.gets == "\r\n"
      socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" \
                   "#{EVENT.bytesize.to_s(16)}\r\n#{EVENT}\r\n")
      socket.read
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    ensure
      socket&.close
    end
  end
end
