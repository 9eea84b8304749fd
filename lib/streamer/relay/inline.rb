# frozen_string_literal: true

require_relative "../sinks/connection_pools"
require_relative "../sinks/upstream_call"

module Streamer
  class Relay
    # A relay_events response that runs in its request's own thread or fiber: with TLS in the server, under ActionController::Live, and
    # for a response that Ruby has begun to read. Otherwise as Detached.
    class Inline # :nodoc:
      attr_reader :key

      def initialize(job, sink, upstream)
        @job = job
        @key = job.key
        @sink = sink
        @call = Sinks::UpstreamCall.new(upstream)
        @given = 0
        @texts = Mutex.new
        @started = @last_text = Clock.now
      end

      # From any thread.
      def stop(reason)
        @stop_reason ||= reason
        @call.cancel
      end

      # From any thread.
      def announce_closing(seconds)
        @sink.write(@job.closing_frame(seconds))
      rescue BrowserDisconnectedError
        nil
      end

      # Runs it to its end, good or bad. Raises only what is no StandardError.
      def run
        relay
        @complete = true
      rescue StandardError => error
        @error = error
      ensure
        deliver_text if @job.on_text && @pipeline
      end

      # The Result of what has run. Who neither completed nor failed was stopped together with the request; the server does not say why.
      def result
        error = @error || (CancelledError.new("the server ended the request") unless @complete)
        Result.new(key: key, **gathered, timings: timings, error: error, reason: (@stop_reason if error.is_a?(CancelledError)))
      end

      private

      def relay
        task = text_task
        @sink.relay_here(@call, @job.options, outlives_browser: @job.outlives_browser?) do |pipeline|
          @pipeline = pipeline
          note_first_event if @first_event.nil? && pipeline.events.positive?
          deliver_text if task.nil? && @job.on_text && Clock.now - @last_text >= @job.every
        end
      ensure
        @texts.synchronize { task.stop } if task # not within somebody's callback
      end

      # In an event loop text is handed out by a task of its own: on_text holds no token up, and a silent upstream no text back.
      def text_task
        return unless @job.on_text && @job.every.positive? && defined?(::Async::Task) && ::Async::Task.current?

        ::Async::Task.current.async(transient: true, annotation: "streamer on_text") do
          loop do
            sleep(@job.every)
            deliver_text if @pipeline
            Sinks::ConnectionPools.release
          end
        end
      end

      def gathered
        return {} unless @pipeline

        { text: @pipeline.text, text_cut: @pipeline.text_cut?, kept: @pipeline.kept, kept_truncated: @pipeline.kept_truncated }
      end

      def timings
        { first_event: @first_event && (@first_event - @started), duration: Clock.now - @started, **sent,
          frames: @pipeline ? @pipeline.frames : 0, upstream: @call.timings }
      end

      def sent = { bytes: @sink.bytes }

      def note_first_event
        @first_event = Clock.now
        @job.tell_first_event(@first_event - @started)
      end

      def deliver_text
        @texts.synchronize do
          @last_text = Clock.now
          text = @pipeline.text_from(@given)
          @given += text.bytesize
          @job.tell_text(text)
        end
      end
    end
  end
end
