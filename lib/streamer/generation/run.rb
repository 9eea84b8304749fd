# frozen_string_literal: true

module Streamer
  module Generation
    # One try at a generation by one job: claims its log, streams into it, and leaves log, record and ledger as they have to be.
    #
    # What has to hold at each moment, since the process may end there: a request is in the ledger before it is sent; the log is closed before the
    # record is; and what is not final is either leased, or somebody has been asked to come back to it.
    class Run # :nodoc:
      # Seconds after which a job comes back that could not even look at the log.
      STORE_AWAY = 5
      private_constant :STORE_AWAY

      # stopping: whether the process is about to end. again: has the job run again after so many seconds.
      def initialize(generation, source, policy:, stopping:, again:)
        @generation = generation
        @source = source
        @policy = policy
        @stopping = stopping
        @again = again
        @ledger = Ledger.new(generation)
      end

      def call
        stream if begin_attempt
      rescue StoppedError
        stopped
      rescue FencedError
        @ledger.leave("interrupted") # another attempt has it
      rescue UnknownLogError
        @generation.settle
      rescue StoreUnavailableError
        raise if @writer

        @again.call(STORE_AWAY) # nothing was sent
      ensure
        @writer&.abandon
      end

      private

      # False when the generation is over, or another attempt is at work.
      def begin_attempt
        log = @generation.log
        head = log.head
        return @generation.settle(head) && false if head.closed?

        look_back(log, head) unless head.queued?
        void = @delivered && !@hopeless && !@point
        bytes = log.text.bytesize if void
        return false unless (@writer = log.claim(mode: void || !@delivered ? "reset" : "continue"))

        raise StoppedError, "it was to stop, and its worker has not come to it" if @writer.stopped?

        tell_reset(bytes) if void
        return true unless @hopeless

        close(@hopeless)
        false
      end

      # What earlier attempts have left: whether there is text, where it can be read on, and why there is to be no further attempt.
      def look_back(log, head)
        @delivered = delivered?(log, head)
        response_id = @ledger.open_response if @source.resumable?
        @point = ResumePoint.in(log, head, response_id) if response_id
        @cause = Failure.new(InterruptedError.new("its worker has vanished"))
        @hopeless = @cause if worn_out?(head) || (@point.nil? && !affordable?)
        @hopeless = Failure.new(TotalTimeoutError.new("the time is over")) if @policy.over?(elapsed)
      end

      def delivered?(log, head)
        after = Log::Position.new(head.text_epoch, 0)
        until (entries = log.entries(after: after, limit: 50)).empty?
          return true if entries.any? { |entry| entry.kind == :data }

          after = entries.last.position
        end
        false
      end

      def worn_out?(head) = head.interrupted + (head.overdue? ? 1 : 0) >= @policy.interruptions

      # Whether the model may be asked once more.
      def affordable? = @ledger.asked < @policy.attempts && (!@delivered || @policy.restart?)

      def tell_reset(bytes)
        @delivered = false
        @ledger.discard(bytes)
        Instrumentation.publish("reset", generation: @generation, attempt: @writer.epoch, bytes: bytes)
      end

      def stream
        @generation.progress("running", started_at: @generation.started_at || Time.current)
        @out = Output.new(@writer, @generation, @stopping)
        failure = Watch.current.while_waiting(@out.method(:look)) { attempts }
        failure ? fail_with(failure) : complete
      end

      # Requests, for as long as the rest of the answer can be had by another one. nil when it is complete; otherwise the Failure.
      def attempts
        barren = 0
        while (failure = attempt)
          barren = @fruitful ? 0 : barren + 1
          return failure unless resumable?(failure, barren)

          wait(@policy.pause(barren, failure))
        end
      rescue InterruptedError => error
        Failure.new(error)
      end

      # One request. nil when that was all; otherwise the Failure.
      def attempt
        before = @out.bytes
        from = @point
        enter
        @source.stream(@out, timeouts: @policy.timeouts_after(elapsed), from: from) { |id| @ledger.name(id) }
        nil
      rescue FencedError, StoppedError
        raise
      rescue StandardError => error
        refusal = @out.refusal
        raise refusal if refusal && !refusal.is_a?(InterruptedError) # what the source has made of it

        @point = @source.point
        failure(refusal || error, refused: from && error.is_a?(ResponseError))
      ensure
        @fruitful = @out.bytes > before
        @delivered ||= @out.begun?
      end

      def enter
        @ledger.enter(@out, @point)
        Instrumentation.publish("resume", generation: @generation, attempt: @writer.epoch, cursor: @point.cursor) if @point
        Sinks::ConnectionPools.release
      end

      # Where the provider refuses to be read from, what counts is what has cut the answer off.
      def failure(error, refused:)
        failure = Failure.new(error, transient: @policy.retry_on)
        @ledger.leave(failure.interrupted? ? "interrupted" : state_of(failure))
        return @cause = failure unless refused && !failure.transient?

        @point = nil
        @cause
      end

      # Whether the rest of the answer can be had here and now.
      def resumable?(failure, barren)
        @point && failure.transient? && barren < @policy.attempts && !@policy.over?(elapsed)
      end

      def wait(seconds)
        sleeper = Upstream::Sleeper.new
        @out.on_stop { sleeper.cancel }
        sleeper.wait(seconds)
        refusal = @out.refusal and raise refusal
      end

      def complete
        state = @writer.close("completed", **{ usage: @out.usage }.compact)
        @ledger.leave(state)
        @generation.settle
      end

      def state_of(failure) = failure.timed_out? ? "timed_out" : "failed"

      def fail_with(failure)
        seconds = failure.interrupted? ? 0 : @policy.delay(@ledger.asked, failure)
        return try_again(failure, seconds) if again?(failure, seconds)

        Streamer.report(failure.error) if failure.unexpected?
        close(failure)
      end

      # Another job goes on where nothing was delivered, where the application has said that it may begin anew, or where this process ends and
      # another can read the rest.
      def again?(failure, seconds)
        return @point || affordable? if failure.interrupted?

        failure.transient? && affordable? && !@policy.over?(elapsed + seconds)
      end

      def try_again(failure, seconds)
        give_up_response unless failure.interrupted?
        @writer.release
        @generation.progress("queued")
        @again.call(seconds)
      rescue LogError
        raise
      rescue StandardError => error
        @generation.not_queued(error)
      end

      # The close waits for the writer's, which a stop has begun.
      def stopped
        @writer.close("cancelled")
        @ledger.leave("cancelled")
        @generation.settle
        @point = @source.point || @point
        give_up_response
      rescue FencedError
        @ledger.leave("interrupted")
      end

      def close(failure)
        @writer.close(state_of(failure), error: failure.code, message: failure.message)
        @generation.settle
        give_up_response
      end

      # What goes on at the provider costs money until somebody says that it need not.
      def give_up_response
        return unless @point

        Sinks::ConnectionPools.release
        @source.cancel(@point.response_id)
      end

      # Seconds since it was begun.
      def elapsed = @generation.started_at ? Time.current - @generation.started_at : 0
    end
  end
end
