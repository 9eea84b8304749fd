# frozen_string_literal: true

require "securerandom"

require_relative "origin"
require_relative "../sinks/connection_pools"
require_relative "../sinks/upstream_call"

module Streamer
  module Controller
    # One relay_events: begins in the action, runs where the server calls the body. On a socket that the server has handed over it
    # only starts there, and the request's thread is free or its fiber waits; elsewhere it runs to its end in the request's fiber or thread.
    class RelayAction # :nodoc:
      DEFAULT_TERMINAL = { event: "done", data: { status: "completed" } }.freeze
      MAX_TEXT = 1024 * 1024

      attr_reader :key, :options, :on_text, :every, :terminal

      def initialize(controller, upstream, finished, key: nil, terminal: DEFAULT_TERMINAL, on_disconnect: :cancel, on_text: nil, every: 0.1,
                     retry_time: nil, collect: MAX_TEXT, **options)
        unless %i[cancel continue].include?(on_disconnect)
          raise ArgumentError, "on_disconnect is :cancel or :continue; got #{on_disconnect.inspect}"
        end
        raise ArgumentError, "terminal is { event:, data: } or nil; got #{terminal.inspect}" unless terminal.nil? || terminal.is_a?(Hash)
        raise ArgumentError, "on_text must respond to #call (got #{on_text.class})" unless on_text.nil? || on_text.respond_to?(:call)
        raise ArgumentError, "every is a number of seconds; got #{every.inspect}" unless every.is_a?(Numeric) && every >= 0

        @upstream, declared = Relay::Options.of(upstream)
        @finished = finished
        @key = (key || SecureRandom.hex(16)).to_s
        @on_text = on_text
        @every = every
        @outlives_browser = on_disconnect == :continue
        @terminal = terminal && Encoder.encode(terminal[:data], event: terminal[:event])
        @terminal_event = terminal && terminal[:event]
        @opening = [Encoder.comment, (Encoder.encode(nil, retry: retry_time) if retry_time)].compact.join
        # Text is gathered where somebody can ask for it.
        @options = Relay::Options.new(collect: (collect if finished || on_text), **declared, **options)
        @origin = Origin.new(controller)
      end

      def outlives_browser? = @outlives_browser

      # Whether anybody listens for the moment of the first event.
      def first_event? = @origin.listened_to?("first_event")

      def tell_first_event(seconds) = notify("first_event", seconds: seconds)

      def tell_text(text)
        @origin.guard { @on_text.call(text) } unless text.empty?
      end

      # From any thread, at any time; false when it was over.
      def stop
        return false if @over

        @unwanted = true
        @running&.stop(:stopped)
        true
      end

      # What a browser is told when the process is about to end; it comes back after so many seconds.
      def closing_frame(seconds)
        Encoder.encode({ reason: "shutdown" }, event: "closing", retry: (seconds * 1000).round)
      end

      # What a browser gets last. That of a complete response is `terminal`.
      def last_frames(result)
        case result.status
        when :completed then terminal.to_s
        when :cancelled then result.reason == :stopped ? stopped_frame : "" # at a shutdown it is to come back
        else @origin.frame(result.error)
        end
      end

      # Where the server calls the body. Raises only what is no StandardError (a task that is stopped, a thread that is killed).
      def run(sink)
        Sinks::ConnectionPools.release
        begin
          write_opening(sink)
          notify("start")
          detached = sink.detach { |browser| detach(browser) }
          relay_inline(sink) unless detached
        rescue StandardError => error
          early = error
        end
      ensure
        conclude(sink, early) unless detached
      end

      # Instead of run, where there is nothing to write to.
      def refuse(error) = finish(Relay::Result.new(key: key, error: error))

      # Where the server never calls the body.
      def abandon
        finish(Relay::Result.new(key: key, error: CancelledError.new("the server ended the request")))
        Sinks::ConnectionPools.release
      end

      # Whether it ended with an error.
      def failed? = @failed == true

      # Once, however it ended.
      def finish(result)
        @over = true
        @failed = %i[failed timed_out].include?(result.status)
        notify("stream", status: result.status, reason: result.reason, **result.timings)
        @origin.guard { @origin.report(result.error) } if failed?
        @origin.guard { @finished.call(result) } if @finished
      end

      private

      # Who outlives the browser does so from the first byte.
      def write_opening(sink)
        sink.write(@opening)
      rescue BrowserDisconnectedError
        raise unless outlives_browser?
      end

      def notify(event, **payload) = @origin.notify(event, key: key, **payload)

      def stopped_frame = terminal ? Encoder.encode({ status: "cancelled" }, event: @terminal_event) : ""

      # False when the request has to be sent by Ruby, or is sent already.
      def detach(browser)
        return false if !@upstream.is_a?(Request) || @upstream.streams_body?

        Relay::Registry.start(running(Relay::Detached.new(browser, @upstream, self)))
        true
      end

      def relay_inline(sink)
        @inline = running(Relay::Inline.new(self, sink, @upstream))
        Relay::Registry.hold(@inline) { @inline.run }
      end

      # Whoever wanted it stopped before it ran finds it here now, or has left word.
      def running(stream)
        @running = stream
        stream.stop(:stopped) if @unwanted
        stream
      end

      def conclude(sink, early)
        result = @inline&.result || Relay::Result.new(key: key, error: early || CancelledError.new("the server ended the request"))
        frames = last_frames(result)
        sink.write(frames) unless frames.empty?
      rescue BrowserDisconnectedError
        nil
      ensure
        begin
          sink.close
        ensure
          finish(result)
          Sinks::ConnectionPools.release
        end
      end
    end
  end
end
