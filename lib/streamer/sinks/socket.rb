# frozen_string_literal: true

require_relative "base"

module Streamer
  module Sinks
    # A socket that the server handed over: Puma's, plain TCP or Unix. Framing, heartbeats and the notice that the browser
    # has left are native (ClientSocket), and a relay needs no Ruby at all while it runs. (One with a block does, and one of a
    # response that belongs to a fiber scheduler.)
    class Socket < Base
      # How often a relay that runs through Ruby looks whether the browser is still there, in seconds.
      LOOK = 1.0

      # `chunked`: HTTP/1.1; otherwise the end of the connection is the end of the stream.
      # The socket is the stream's from here on: ClientSocket has a descriptor of its own, and this one is closed.
      def initialize(io, chunked:, heartbeat:)
        super(heartbeat: nil)
        @client = ClientSocket.new(io, chunked: chunked, heartbeat: heartbeat)
        io.close
      end

      def relay(response, pipeline, &block)
        transfer = response.transfer
        return response.reading { @client.relay(transfer, pipeline) } if block.nil? && transfer.native?

        watch = Heartbeat.start(self, LOOK)
        begin
          super
        ensure
          watch.stop
        end
      end

      def connected? = super && @client.connected?

      def beat
        return LOOK if connected?

        leave
        nil
      end

      private

      def deliver(bytes) = @client.write(bytes)

      def finish = @client.close
    end
  end
end
