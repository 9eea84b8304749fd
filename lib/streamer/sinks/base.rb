# frozen_string_literal: true

require_relative "heartbeat"

module Streamer
  module Sinks
    # What every sink can do. A sink takes bytes, whole frames at a time, towards one browser.
    #
    #   write(bytes)   nil, or ClientDisconnected. Any thread or fiber may call it: frames never interleave
    #   relay(response, pipeline) { |frames| }
    #                  writes what the pipeline makes of the response until the response ends; the block sees each String of
    #                  frames after it was written. When the browser leaves, the response is cancelled
    #   connected?     false after close and once a write has failed; a browser that left unnoticed counts as connected
    #   close          ends the stream in good order; never raises, may be called twice
    #
    # A subclass has `deliver(bytes)` and `finish`. Whatever `deliver` raises means that nothing more can reach the browser.
    # With `heartbeat` (seconds, nil or 0 for none) a comment is written after that much silence, also while the
    # owner of the sink is busy: it keeps proxies from closing the connection and finds out that the browser has left.
    class Base
      COMMENT = ":\n\n"

      def initialize(heartbeat:)
        @lock = Mutex.new
        @open = true
        @finished = false
        @relayed = []
        @interval = heartbeat
        @written_at = now
        @heartbeat = Heartbeat.start(self, heartbeat)
      end

      def write(bytes)
        @lock.synchronize { put(bytes) }
        nil
      rescue ClientDisconnected
        leave
        raise
      end

      def relay(response, pipeline)
        cancel_when_left(response) do
          response.each_frames(pipeline) do |frames|
            write(frames)
            yield frames if block_given?
          end
        end
      rescue Error => error
        write(error.frames) unless error.frames.empty?
        raise
      end

      def connected? = @open

      def close
        @heartbeat.stop
        @lock.synchronize do
          next if @finished

          @finished = true
          @open = false
          finish
        rescue StandardError
          nil # the browser left before the end could be written, and nobody is there to be told
        end
      end

      # Called by the heartbeat. Returns the seconds until it should be called again, or nil for never.
      def beat
        idle = now - @written_at
        return @interval - idle if idle < @interval
        return @interval unless @lock.try_lock # a write is under way: no silence

        begin
          put(COMMENT)
        ensure
          @lock.unlock
        end
        @interval
      rescue ClientDisconnected
        leave
        nil
      end

      private

      def put(bytes)
        raise ClientDisconnected, "the browser has left" unless connected?

        deliver(bytes)
        @written_at = now
      rescue ClientDisconnected
        raise
      rescue StandardError
        raise ClientDisconnected, "the browser has left" # the server's own error stays as its cause
      end

      # Cancelled from the heartbeat's thread or task, the response ends with CancelledError where it is read.
      def cancel_when_left(response)
        @relayed << response
        yield
      rescue CancelledError
        raise if connected?

        raise ClientDisconnected, "the browser has left"
      ensure
        @relayed.delete(response)
        response.cancel unless connected?
      end

      def leave
        @open = false
        @relayed.each(&:cancel)
      end

      def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
