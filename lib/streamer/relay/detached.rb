# frozen_string_literal: true

module Streamer
  class Relay
    # One relay_events answer in the native thread's care: what becomes of it in Ruby. stop and announce_closing come from any thread, all
    # else from the thread of Dispatcher.
    class Detached # :nodoc:
      attr_reader :key, :relay

      # Of all streams: it is held for a moment, and one for each would be an object that Ruby's garbage collector looks at every time.
      LOCK = Mutex.new
      private_constant :LOCK

      # job: what relay_events was asked for (see Controller::RelayAction).
      def initialize(browser, request, job)
        @browser = browser
        @request = request
        @job = job
        @key = job.key
        @elapsed = 0.0 # of the answers that were redirects, and of attempts and the waits behind them
        @attempts = 0 # again
        @relay = relay_to(request)
      end

      def stop(reason)
        paused = LOCK.synchronize do
          @stop_reason ||= reason
          @relay.stop
          @following.tap { @following = nil }
        end
        return unless paused

        give_up
        Dispatcher.close(self)
      end

      def announce_closing(seconds) = tell(@job.closing_frame(seconds))

      def first_event
        @permit&.judge(@relay.outcome) # not at the end: an answer may take long
        @job.tell_first_event(timings[:first_event])
      end

      # When the text that has come may be handed out.
      def next_text = @last_text ? @last_text + @job.every : now

      # Hands it out, if somebody wants it and there is any.
      def deliver_text
        return unless @job.on_text

        @last_text = now
        @job.tell_text(@relay.take_text)
      end

      # The relay has ended. Follows a redirect; true when there was one.
      def redirect
        settle
        following = @relay.redirect_of(@request)
        return unless following && go_on(following)

        Dispatcher.follow(self)
        true
      rescue RedirectError => error
        @failure = error
        nil
      end

      # Seconds until the next attempt, which resume makes; nil when there is none (see RetryPolicy), or when it was stopped.
      def pause
        following, wait = @relay.another(@request, @attempts)
        return unless following

        LOCK.synchronize do
          next give_up if @stop_reason

          @attempts += 1
          @pause = wait
          @following = following
          wait
        end
      end

      # Makes that attempt. False when there is none any more: the browser has left, or the stream was stopped.
      def resume
        following = LOCK.synchronize { @following.tap { @following = nil } }
        return true if following.nil? # stopped, and ended
        return false if @relay.left? || !go_on(following)

        @elapsed += @pause
        Dispatcher.follow(self)
        true
      end

      # Makes the result and ends the browser's answer. After a complete answer the native thread has done the latter.
      def conclude
        @result = result
        tell(@job.last_frames(@result)) unless @result.completed?
      ensure
        @browser.finish
      end

      def finish = @job.finish(@result || Result.new(key: key, error: Error.new("the result could not be made")))

      private

      def relay_to(request)
        @permit = request.circuit&.enter(request.origin)
        Relay.new(@browser, request.prepare, @job.options, news: [@job.first_event? || !@permit.nil?, !@job.on_text.nil?],
                                                       outlives_browser: @job.outlives_browser?, terminal: @job.terminal)
      rescue StandardError
        @permit&.leave
        raise
      end

      def settle
        outcome = @relay.outcome
        outcome ? @permit&.judge(outcome) : @permit&.leave
      end

      # Falsy when it was stopped meanwhile, or a circuit is open.
      def go_on(request)
        LOCK.synchronize do
          next give_up if @stop_reason

          @elapsed += @relay.measures[:duration]
          @request = request
          @relay = relay_to(request)
          true
        end
      rescue CircuitOpenError => error
        @failure = error
        false
      end

      # It was stopped where another request would have followed. Returns nil.
      def give_up
        @failure = CancelledError.new("the stream was stopped").concerning(@request.to_s)
        nil
      end

      def result
        error = @failure || failure
        Result.new(key: key, text: @relay.text, text_cut: @relay.text_cut?, kept: @relay.kept, timings: timings, error: error,
                   reason: (@stop_reason if error.is_a?(CancelledError)))
      end

      def timings
        measures = @relay.measures
        %i[first_event duration].each { |name| measures[name] &&= measures[name] + @elapsed }
        measures.merge(upstream: @relay.upstream_timings)
      end

      def failure
        @relay.verify(@request)
        nil
      rescue Error => error
        error
      end

      # A browser that is far behind does not get it: nobody waits for it here.
      def tell(frames) = @browser.offer(frames)

      def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
