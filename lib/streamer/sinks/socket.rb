# frozen_string_literal: true

require_relative "base"
require_relative "patience"

module Streamer
  module Sinks
    # A socket that the server handed over: Puma's, plain TCP or Unix. Framing, heartbeats and the notice that the browser
    # has left are native (ClientSocket), and a relay needs no Ruby at all while it runs; but that of a response that belongs to a
    # fiber scheduler does.
    class Socket < Base
      # How often a relay that runs through Ruby looks whether the browser is still there, in seconds.
      LOOK = 1.0

      # `chunked`: HTTP/1.1; otherwise the end of the connection is the end of the stream.
      # The socket is the stream's from here on: ClientSocket has a descriptor of its own, and this one is closed.
      def initialize(io, chunked:, heartbeat:, write_timeout: 30)
        super(heartbeat: nil)
        Patience.limit(io, write_timeout)
        @client = ClientSocket.new(io, chunked: chunked, heartbeat: heartbeat, write_timeout: write_timeout)
        io.close
      end

      def relay(upstream, plan)
        return relay_request(upstream, plan) if native?(upstream)

        call = Call.new(upstream)
        response = watched { cancel_when_left(call, false) { call.response } }
        response.transfer.native? ? relay_response(response, plan) : relay_here(call, plan)
      end

      def relay_here(call, plan, **options) = watched { super }

      def detach
        yield(@client).tap { |taken| @heartbeat.stop if taken }
      end

      def connected? = super && @client.connected?

      def beat
        return LOOK if connected?

        leave
        nil
      end

      private

      # A body from an IO is read, and a circuit judges an answer at its head, in Ruby.
      def native?(upstream)
        upstream.is_a?(Request) && !upstream.streams_body? && upstream.circuit.nil? && !Fiber.current_scheduler
      end

      # Runs a block that waits in Ruby, and looks after the browser meanwhile.
      def watched
        watch = Heartbeat.start(self, LOOK)
        yield
      ensure
        watch&.stop
      end

      def relay_response(response, plan)
        response.ensure_stream!(format: plan.format, values: plan.values?)
        response.reading { Relay.new(@client, response.transfer, plan).start.wait.verify(response.request) }
      end

      # The native thread has the relay before the upstream's head is here, so no token waits for Ruby.
      def relay_request(request, plan, attempts = 0)
        relay = Relay.new(@client, request.prepare, plan).start.wait
        following = relay.redirect_of(request)
        return relay_request(following, plan, attempts) if following

        following, wait = relay.another(request, attempts)
        return relay.verify(request) unless following

        pause(wait)
        relay_request(following, plan, attempts + 1)
      end

      def pause(seconds)
        pause = Pause.new
        watched { cancel_when_left(pause, false) { pause.wait(seconds) } }
        raise ClientDisconnected, "the browser has left" unless connected?
      end

      def deliver(bytes) = @client.write(bytes)

      def finish = @client.close
    end
  end
end
