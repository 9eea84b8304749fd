# frozen_string_literal: true

require_relative "base"
require_relative "tcp_user_timeout"

module Streamer
  module Sinks
    # A socket that the server handed over: Puma's, plain TCP or Unix. Framing, heartbeats and the notice that the browser
    # has left are native (BrowserSocket), and a relay needs no Ruby at all while it runs; but that of a response that belongs to a
    # fiber scheduler already does.
    class Socket < Base
      # How often a relay that runs through Ruby looks whether the browser is still there, in seconds.
      LOOK = 1.0

      # `chunked`: HTTP/1.1; otherwise the end of the connection is the end of the stream.
      # The socket is the stream's from here on: BrowserSocket has a descriptor of its own, and this one is closed.
      def initialize(io, chunked:, heartbeat:, heartbeat_event: false, write_timeout: 30)
        super(heartbeat: nil)
        TcpUserTimeout.limit(io, write_timeout)
        @browser = take(io, chunked: chunked, heartbeat: heartbeat, heartbeat_event: heartbeat_event, write_timeout: write_timeout)
      end

      def relay(upstream, options)
        return relay_request(upstream, options) if native?(upstream)

        call = UpstreamCall.new(upstream)
        response = watched { cancel_when_left(call, false) { call.response } }
        response.transfer.native? ? relay_response(response, options) : relay_here(call, options)
      end

      def relay_here(call, options, **keywords) = watched { super }

      def detach
        yield(@browser).tap { |taken| @heartbeat.stop if taken }
      end

      def connected? = super && @browser.connected?

      def beat
        return LOOK if connected?

        leave
        nil
      end

      private

      def take(io, **options) = BrowserSocket.new(io, **options).tap { io.close }

      # A body from an IO is read, and a circuit judges a response at its head, in Ruby.
      def native?(upstream)
        upstream.is_a?(Request) && !upstream.streams_body? && upstream.circuit.nil?
      end

      # Runs a block that waits in Ruby, and looks after the browser meanwhile.
      def watched
        watch = Heartbeat.start(self, LOOK)
        yield
      ensure
        watch&.stop
      end

      def relay_response(response, options)
        response.ensure_stream!(format: options.format, values: options.values?)
        response.reading { Relay.new(@browser, response.transfer, options).start.wait.verify(response.request) }
      end

      # The native thread has the relay before the upstream's head is here, so no token waits for Ruby.
      def relay_request(request, options)
        exchange = Upstream::Exchange.new(request)
        loop do
          request = exchange.request
          relay = Relay.new(@browser, request.prepare(native: true), options).start.wait
          outcome = relay.outcome(request)
          following, delay = exchange.next(outcome, **relay.attempt) if outcome
          return relay.verify(request) unless following

          pause(delay)
        end
      end

      def pause(seconds)
        sleeper = Upstream::Sleeper.new
        watched { cancel_when_left(sleeper, false) { sleeper.wait(seconds) } }
        raise BrowserDisconnectedError, "the browser has left" unless connected?
      end

      def deliver(bytes) = @browser.write(bytes)

      def finish = @browser.close
    end
  end
end
