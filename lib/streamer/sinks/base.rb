# frozen_string_literal: true

require_relative "upstream_call"
require_relative "heartbeat"

module Streamer
  module Sinks
    # What every sink can do. A sink takes bytes, whole frames at a time, towards one browser.
    #
    #   write(bytes)   nil, or BrowserDisconnectedError. Any thread or fiber may call it: frames never interleave
    #   relay(upstream, options)
    #                  writes the frames of a Response, or of a Request's, until it ends. When the browser leaves, it is cancelled
    #   relay_here(call, options, outlives_browser: false) { |pipeline| }
    #                  the same for a UpstreamCall, always in this thread or fiber; the block is called after each read, also one that failed
    #   while_connected(call) { }
    #                  runs the block; call.cancel is called, from some thread, when the browser leaves meanwhile
    #   detach { |client| }
    #                  yields the BrowserSocket and gives it away when the block returns true; false for a sink that has none
    #   bytes          how many were written
    #   connected?     false after close and once a write has failed; a browser that left unnoticed counts as connected
    #   close          ends the stream cleanly; never raises, may be called twice
    #
    # A subclass has `deliver(bytes)` and `finish`. Whatever `deliver` raises means that nothing more can reach the browser.
    # With `heartbeat` (seconds, nil or 0 for none) a comment, or with `heartbeat_event` an event, is written after that much silence, also
    # while the owner of the sink is busy: it keeps proxies from closing the connection and finds out that the browser has left.
    class Base
      COMMENT = ":\n\n"
      HEARTBEAT_EVENT = "event: heartbeat\ndata: {}\n\n"

      def initialize(heartbeat:, heartbeat_event: false)
        @lock = Mutex.new
        @open = true
        @finished = false
        @relayed = [] # the calls that end when the browser leaves
        @relayed_lock = Mutex.new
        @bytes = 0
        @interval = heartbeat
        @beat = heartbeat_event ? HEARTBEAT_EVENT : COMMENT
        @written_at = Clock.now
        @heartbeat = Heartbeat.start(self, heartbeat)
      end

      attr_reader :bytes

      # What a heartbeat writes.
      def heartbeat_frame = @beat

      def write(bytes)
        @lock.synchronize { put(bytes) }
        nil
      rescue BrowserDisconnectedError
        leave
        raise
      end

      def relay(upstream, options) = relay_here(UpstreamCall.new(upstream), options)

      def relay_here(call, options, outlives_browser: false)
        pipeline = options.pipeline
        cancel_when_left(call, outlives_browser) do
          call.response.each_frames(pipeline, every_read: true) do |frames|
            pass_on(frames, outlives_browser) unless frames.empty?
            yield pipeline if block_given?
          end
        end
        nil
      rescue Error => error
        unless error.frames.empty? || !connected?
          write(error.frames)
          error.concerning(error.request, delivered: pipeline.frames)
        end
        yield pipeline if block_given?
        raise
      end

      # Runs the block; when the browser leaves meanwhile, `call` is cancelled.
      def while_connected(call, &block) = cancel_when_left(call, false, &block)

      def detach = false

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
        idle = Clock.now - @written_at
        return @interval - idle if idle < @interval
        return @interval unless @lock.try_lock # a write is under way: no silence

        begin
          put(@beat)
        ensure
          @lock.unlock
        end
        @interval
      rescue BrowserDisconnectedError
        leave
        nil
      end

      private

      def put(bytes)
        raise BrowserDisconnectedError, "the browser has left" unless connected?

        deliver(bytes)
        @bytes += bytes.bytesize
        @written_at = Clock.now
      rescue BrowserDisconnectedError
        raise
      rescue StandardError
        raise BrowserDisconnectedError, "the browser has left" # the server's own error stays as its cause
      end

      def pass_on(frames, outlives_browser)
        write(frames) if connected? || !outlives_browser
      rescue BrowserDisconnectedError
        raise unless outlives_browser
      end

      # Cancelled from the heartbeat's thread or task, the call ends with CancelledError where it is awaited or read.
      def cancel_when_left(call, outlives_browser)
        return yield if outlives_browser

        @relayed_lock.synchronize { @relayed << call }
        raise BrowserDisconnectedError, "the browser has left" unless connected?

        yield
      rescue CancelledError
        raise if connected?

        raise BrowserDisconnectedError, "the browser has left"
      ensure
        @relayed_lock.synchronize { @relayed.delete(call) }
        call.cancel unless connected?
      end

      # A call that is cancelled takes itself from the list, and others may do so meanwhile.
      def leave
        @open = false
        @relayed_lock.synchronize { @relayed.dup }.each(&:cancel)
      end
    end
  end
end
