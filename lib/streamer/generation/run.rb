# frozen_string_literal: true

module Streamer
  module Generation
    # One try at a generation by one job: claims its log, streams into it, and leaves log, record and ledger as they have to be.
    class Run # :nodoc:
      # stopping: whether the process is about to end. The source is asked at most once.
      def initialize(generation, source, policy:, stopping:)
        @generation = generation
        @source = source
        @policy = policy
        @stopping = stopping
      end

      # nil when there is nothing more to do; seconds after which another try is to be made.
      def call
        return unless begin_attempt

        stream
      rescue StoppedError
        over("cancelled")
      rescue FencedError
        @request&.end_with("interrupted")
        nil # another attempt has it
      ensure
        @writer&.abandon
      end

      private

      # False when the generation is over, or another attempt is at work.
      def begin_attempt
        head = @generation.log.head
        return @generation.settle(head) && nil if head.closed?
        return false unless (@writer = @generation.log.claim(mode: mode(head)))
        return true unless @last_words

        close("failed", @last_words)
        false
      end

      # What an earlier attempt has written is kept where this one is not to begin anew.
      def mode(head)
        return "reset" if head.queued?

        delivered = !@generation.log.text.empty?
        tired = head.interrupted + 1 > @policy.interruptions || requests >= @policy.attempts
        return "reset" unless tired || (delivered && @policy.partial == :keep)

        @last_words = Failure.new(InterruptedError.new("its worker has vanished"))
        "continue"
      end

      def requests = @generation.upstream_requests.count

      def stream
        @request = @generation.upstream_requests.create!(attempt: @writer.epoch, started_at: Time.current)
        @generation.progress("running", started_at: @generation.started_at || Time.current)
        Sinks::ConnectionPools.release
        out = Output.new(@writer, @generation, @stopping)
        begin
          Watch.current.while_waiting(out.method(:look)) { @source.stream(out) }
        rescue FencedError, StoppedError
          raise
        rescue StandardError => error
          return fail_with(out.interrupted? ? InterruptedError.new("the worker is about to end") : error, out)
        end
        complete(out)
      end

      def complete(out)
        @request.end_with("completed", usage: out.usage)
        over(@writer.close("completed", **{ usage: out.usage }.compact))
      end

      def fail_with(error, out)
        return over(@writer.close) if @writer.stopped?

        failure = Failure.new(error, transient: @policy.retry_on)
        @request.end_with(error.is_a?(InterruptedError) ? "interrupted" : outcome(failure), usage: out.usage)
        return try_again(failure) if again?(failure, out)

        Streamer.report(error) if failure.code == "internal"
        close(outcome(failure), failure)
      end

      def outcome(failure) = failure.timed_out? ? "timed_out" : "failed"

      # Another request is made where nothing was delivered, or where the application has said that it may.
      def again?(failure, out)
        return false if out.begun? && @policy.partial == :keep
        return true if failure.error.is_a?(InterruptedError)

        failure.transient? && requests < @policy.attempts && Time.current - @generation.created_at < @policy.total
      end

      def try_again(failure)
        @writer.release
        interrupted = failure.error.is_a?(InterruptedError)
        @generation.progress("queued")
        interrupted ? 0 : @policy.delay(requests, failure)
      end

      def close(state, failure)
        over(@writer.close(state, error: failure.code, message: failure.message))
      end

      def over(state)
        @request&.end_with(state)
        @generation.settle
        nil
      end
    end
  end
end
