# frozen_string_literal: true

module Streamer
  class Relay
    # One relay_events response in the native thread's care: what becomes of it in Ruby. stop and announce_closing come from any thread, all
    # else from the thread of Dispatcher.
    class Detached # :nodoc:
      attr_reader :key, :relay

      # Of all streams: it is held for a moment, and one for each would be an object that Ruby's garbage collector looks at every time.
      LOCK = Mutex.new
      private_constant :LOCK

      # job: what relay_events was asked for, a Controller::RelayAction. Raises CircuitOpenError.
      def initialize(browser, request, job)
        @browser = browser
        @exchange = Upstream::Exchange.new(request)
        @job = job
        @key = job.key
        @elapsed = 0.0 # before the current attempt
        @exchange.admit
        @relay = relay_to(request)
      rescue StandardError
        @exchange.judge(nil)
        raise
      end

      # Between two attempts the next one is begun, cancelled: its end is handled where every other is, on the thread of Dispatcher.
      def stop(reason)
        revived = LOCK.synchronize do
          @stop_reason ||= reason
          if @waiting
            @elapsed += @relay.measures[:duration]
            @relay = relay_to(@exchange.request)
            @waiting = false
            revived = true
          end
          @relay.stop
          revived
        end
        Dispatcher.follow(self) if revived
      end

      def announce_closing(seconds) = tell(@job.closing_frame(seconds))

      # Whether nothing is left to be done before finish.
      def settled? = true

      def first_event
        @exchange.judge(@relay.head) # not at the end: a response may take long
        @job.tell_first_event(timings[:first_event])
      end

      # When the text that has come may be handed out.
      def next_text = @last_text ? @last_text + @job.every : Clock.now

      # Hands it out, if somebody wants it and there is any.
      def deliver_text
        return unless @job.on_text

        @last_text = Clock.now
        @job.tell_text(@relay.take_text)
      end

      # The relay has ended. Seconds until the next attempt, which resume begins; nil when there is none.
      def advance
        @exchange.judge(@relay.head)
        request = @exchange.request
        outcome = @relay.outcome(request) or return
        following, delay = @exchange.next(outcome, **@relay.attempt)
        return unless following

        LOCK.synchronize { @stop_reason ? give_up : (@waiting = true) } && delay
      rescue RedirectError => error
        @failure = error
        nil
      end

      # Begins that attempt. False when there is none any more: the browser has left, the stream was stopped, or a circuit is open.
      def resume
        return true unless LOCK.synchronize { @waiting.tap { @waiting = false } } # stopped: its end is on the way
        return false if @relay.left? || !begin_next

        Dispatcher.follow(self)
        true
      rescue CircuitOpenError => error
        @failure = error
        false
      end

      # Makes the result and ends the browser's response. After a complete response the native thread has done the latter.
      def conclude
        @result = result
        tell(@job.last_frames(@result)) unless @result.completed?
      ensure
        @exchange.judge(nil) # an attempt that was admitted and not begun
        @browser.finish
      end

      def finish = @job.finish(@result || Result.new(key: key, error: Error.new("the result could not be made")))

      private

      def relay_to(request)
        Relay.new(@browser, request.prepare(native: true), @job.options, notify: [@job.first_event? || !request.circuit.nil?, !@job.on_text.nil?],
                                                           outlives_browser: @job.outlives_browser?, terminal: @job.terminal)
      end

      # Falsy when it was stopped meanwhile.
      def begin_next
        @exchange.admit
        LOCK.synchronize do
          next give_up if @stop_reason

          @relay = relay_to(@exchange.request)
          @elapsed = @exchange.elapsed
        end
      end

      # It was stopped where another request would have followed. Returns nil.
      def give_up
        @failure = CancelledError.new("the stream was stopped").concerning(@exchange.request.to_s)
        nil
      end

      def result(error = @failure || failure)
        Result.new(key: key, text: @relay.text, text_cut: @relay.text_cut?, kept: @relay.kept, kept_truncated: @relay.kept_truncated,
                   timings: timings, error: error, reason: (@stop_reason if error.is_a?(CancelledError)))
      end

      def timings
        measures = @relay.measures
        %i[first_event duration].each { |name| measures[name] &&= measures[name] + @elapsed }
        measures.merge(upstream: @relay.upstream_timings)
      end

      def failure
        @relay.verify(@exchange.request)
        nil
      rescue Error => error
        error
      end

      # A browser that is far behind does not get it: nobody waits for it here.
      def tell(frames) = @browser.offer(frames)
    end
  end
end
