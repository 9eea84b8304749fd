# frozen_string_literal: true

module Streamer
  class Log
    # The same as Relay::IntoLog in the caller's own thread or fiber, for a response that Ruby has begun to read and for a request whose
    # body Ruby sends.
    class InlineIntake < Relay::Inline # :nodoc:
      def initialize(writer, upstream, job)
        super(job, nil, upstream)
        @writer = writer
        @pipeline = job.options.pipeline
        @frames = 0
        writer.on_stop { stop(writer.stopped? ? :stopped : :fenced) }
      end

      # Those who follow the log are told by whoever holds them.
      def announce_closing(_seconds); end

      # Runs it to its end, and the log to its own. Raises only what is no StandardError, when the log's end is on the way.
      def run
        super
      ensure
        @stop_reason ||= :interrupted unless @complete || @error
        end_log
      end

      # Of what has run.
      def result(error = @error || (CancelledError.new("whoever waited was interrupted") if @stop_reason == :interrupted))
        Relay::Result.new(key: key, **gathered, timings: timings, error: @log_error || error,
                          reason: (@stop_reason if @log_error.nil? && error.is_a?(CancelledError)))
      end

      private

      def relay
        @call.response.each_frames(@pipeline, every_read: true) do |frames|
          store(frames)
          note_first_event if @first_event.nil? && @pipeline.events.positive?
          deliver_text if @job.on_text && Clock.now - @last_text >= @job.every
        end
      rescue Error => error
        store(error.frames)
        raise
      end

      def store(frames)
        return if frames.empty?

        text, others = @pipeline.take_added
        count = @pipeline.frames - @frames
        @frames = @pipeline.frames
        @writer.append_frames(frames, count, text: text, others: others)
      end

      def end_log
        changed = Thread::Queue.new
        ended = @job.end_log(@writer, result) { changed << true }
        return if @stop_reason == :interrupted # it goes on without this thread

        changed.pop until ended.call
        @log_error = @job.log_error(@writer)
      end

      # No browser is sent anything.
      def sent = {}
    end
  end
end
