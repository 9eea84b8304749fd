# frozen_string_literal: true

require_relative "exchange"
require_relative "sleeper"

module Streamer
  module Upstream # :nodoc:
    # Sends a request and waits for its Response, redirects followed and attempts repeated as its Exchange decides. It can be cancelled from
    # any thread or fiber, wherever it is.
    class Fetch # :nodoc:
      def initialize(request)
        @exchange = Exchange.new(request)
        @sleeper = Sleeper.new
      end

      # The Response at its head. Waits; once. Raises Streamer::Error.
      def response
        outcome = attempt
        outcome = attempt while follow(outcome)
        concluded = conclude(outcome)
      ensure
        @transfer&.cancel unless concluded # nobody has it
      end

      # The Response of the next attempt, when the one there was has broken and nothing of it was delivered; nil when there is none.
      def after(error) = (response if follow(error))

      # Whoever waits for the response gets CancelledError. Any number of times, also before.
      def cancel
        @cancelled = true
        @sleeper.cancel
        @transfer&.cancel
      end

      # Of the last request, as Response#timings; nil until it has ended.
      def timings = @transfer&.timings

      private

      # The Response, or the error in its place.
      def attempt
        @transfer = nil
        @started = Clock.now
        @exchange.admit
        outcome = send_off(@exchange.request)
        @exchange.judge(outcome.is_a?(Response) ? outcome.status : outcome)
        outcome
      ensure
        @exchange.judge(nil) # cancelled, if nothing was said before
      end

      def send_off(request)
        transfer = @transfer = request.prepare.start
        transfer.cancel if @cancelled
        request.body.upload(transfer) if request.body.streamed?
        Response.new(request, transfer, transfer.wait_head)
      rescue ConnectionError, TimeoutError => error
        error.concerning(request.to_s)
      rescue Error => error
        raise error.concerning(request.to_s)
      end

      # Whether another attempt follows; it may begin then.
      def follow(outcome)
        following, delay = @exchange.next(outcome, answered: @transfer ? @transfer.answered? : false, elapsed: Clock.now - @started)
        return unless following

        outcome.cancel if outcome.is_a?(Response)
        @sleeper.wait(delay)
        raise CancelledError.new("the request was cancelled").concerning(following.to_s) if @cancelled

        true
      end

      def conclude(outcome)
        raise outcome if outcome.is_a?(Error)

        outcome.fetch = self if @exchange.retries_left?
        outcome
      end
    end
  end
end
