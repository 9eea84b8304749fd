# frozen_string_literal: true

require_relative "../sinks/call"

module Streamer
  # A relay_events answer that runs in its request's own thread or fiber: on Falcon, with TLS in Puma, under ActionController::Live, and
  # for an answer that Ruby has begun to read. Otherwise as Stream.
  class Inline # :nodoc:
    attr_reader :key

    def initialize(job, sink, upstream)
      @job = job
      @key = job.key
      @sink = sink
      @call = Sinks::Call.new(upstream)
      @given = 0
      @started = @last_text = now
    end

    # From any thread.
    def stop(reason)
      @stop_reason ||= reason
      @call.cancel
    end

    # From any thread.
    def announce_closing(seconds)
      @sink.write(@job.closing_frame(seconds))
    rescue ClientDisconnected
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
      @sink.relay_here(@call, @job.plan, outlives_browser: @job.outlives_browser?) do |pipeline|
        @pipeline = pipeline
        note_first_event if @first_event.nil? && pipeline.events.positive?
        deliver_text if @job.on_text && now - @last_text >= @job.every
      end
    end

    def gathered
      @pipeline ? { text: @pipeline.text, text_cut: @pipeline.text_cut?, kept: @pipeline.kept } : {}
    end

    def timings
      { first_event: @first_event && @first_event - @started, duration: now - @started, bytes: @sink.bytes,
        frames: @pipeline ? @pipeline.frames : 0, upstream: @call.timings }
    end

    def note_first_event
      @first_event = now
      @job.tell_first_event(@first_event - @started)
    end

    def deliver_text
      @last_text = now
      text = @pipeline.text_from(@given)
      @given += text.bytesize
      @job.tell_text(text)
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
