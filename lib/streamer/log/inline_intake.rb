# frozen_string_literal: true

module Streamer
  class Log
    # The same as Relay::IntoLog in the caller's own thread or fiber, for a response that Ruby has begun to read and for a request whose
    # body Ruby sends.
    class InlineIntake # :nodoc:
      attr_reader :key

      def initialize(writer, upstream, job)
        @writer = writer
        @key = writer.key
        @job = job
        @call = Sinks::UpstreamCall.new(upstream)
        @pipeline = job.options.pipeline
        @given = @frames = 0
        @started = @last_text = Clock.now
        writer.on_stop { stop(writer.stopped? ? :stopped : :fenced) }
      end

      # From any thread.
      def stop(reason)
        @stop_reason ||= reason
        @call.cancel
      end

      def announce_closing(_seconds); end

      # Runs it to its end, and the log to its own. Raises only what is no StandardError, when the log's end is on the way.
      def run
        relay
        complete = true
      rescue StandardError => error
        @error = error
      ensure
        @stop_reason ||= :interrupted unless complete || @error
        deliver_text if @job.on_text
        end_log
      end

      # Of what has run.
      def result(error = @error || (CancelledError.new("whoever waited was interrupted") if @stop_reason == :interrupted))
        Relay::Result.new(key: key, text: @pipeline.text, text_cut: @pipeline.text_cut?, kept: @pipeline.kept,
                          kept_truncated: @pipeline.kept_truncated, timings: timings, error: @log_error || error,
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

      def timings
        { first_event: @first_event && (@first_event - @started), duration: Clock.now - @started, frames: @pipeline.frames,
          upstream: @call.timings }
      end

      def note_first_event
        @first_event = Clock.now
        @job.tell_first_event(@first_event - @started)
      end

      def deliver_text
        @last_text = Clock.now
        text = @pipeline.text_from(@given)
        @given += text.bytesize
        @job.tell_text(text)
      end
    end
  end
end
