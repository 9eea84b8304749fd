# frozen_string_literal: true

require_relative "base"

module Streamer
  module Sinks
    # The stream that a Rack 3 server gives to a callable body: Falcon's and Puma's with TLS. Also anything else with `write`
    # and `close`.
    class Rack < Base
      # Falcon's HTTP/1 stream is a queue without an end: bytes that may lie in it before a write waits. After write_timeout
      # seconds of waiting the browser counts as gone. More at once goes in pieces, so that the time is that of a piece.
      HIGH_WATER = 64 * 1024

      def initialize(stream, heartbeat:, heartbeat_event: false, write_timeout: 30)
        @stream = stream
        @write_timeout = write_timeout
        @queue = queue_of(stream)
        @queued = 0
        super(heartbeat: heartbeat, heartbeat_event: heartbeat_event)
      end

      private

      def deliver(bytes)
        return hand_over(bytes) unless @queue

        0.step(bytes.bytesize - 1, HIGH_WATER) do |offset|
          piece = bytes.byteslice(offset, HIGH_WATER)
          hand_over(piece)
          wait_until_taken(piece.bytesize)
        end
      end

      def hand_over(bytes)
        @stream.write(bytes)
        @stream.flush if @stream.respond_to?(:flush)
      end

      def finish = @stream.close

      def queue_of(stream)
        output = stream.output if stream.respond_to?(:output)
        output if output.respond_to?(:ready?)
      end

      def wait_until_taken(size)
        @queued += size
        return if @queued < HIGH_WATER

        deadline = Clock.now + @write_timeout
        pause = 0.001
        while @queue.ready? && !@queue.closed?
          raise BrowserDisconnectedError.slow if Clock.now > deadline

          sleep(pause)
          pause = [pause * 2, 0.05].min
        end
        @queued = 0
      end
    end
  end
end
