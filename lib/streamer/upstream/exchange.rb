# frozen_string_literal: true

require_relative "sleeper"

module Streamer
  module Upstream # :nodoc:
    # A request on its way to its Response: sent, sent again as its RetryPolicy says, redirects followed. The total timeout spans all of it. It can
    # be cancelled from any thread or fiber, wherever it is.
    class Exchange # :nodoc:
      def initialize(request)
        @request = request
        @pause = Sleeper.new
        @made = 0 # again
      end

      # The Response at its head. Waits; once. Raises Streamer::Error.
      def response
        concluded = nil
        loop do
          @started = now
          answer = exchange(@request)
          following = redirect(answer) || again(answer)
          return concluded = conclude(answer) unless following

          @request = following
        end
      ensure
        @transfer&.cancel unless concluded # nobody has it
      end

      # The Response of the next attempt, when the one there was has broken and nothing of it was delivered; nil when there is none.
      def after(error)
        following = again(error) or return
        @request = following
        response
      end

      # Whoever waits for the response gets CancelledError. Any number of times, also before.
      def cancel
        @cancelled = true
        @pause.cancel
        @transfer&.cancel
      end

      # Of the last request, as Response#timings; nil until it has ended.
      def timings = @transfer&.timings

      private

      # The Response, or the error in its place.
      def exchange(request)
        circuit = request.circuit
        circuit ? circuit.guard(request.origin) { send_off(request) } : send_off(request)
      end

      def send_off(request)
        request.exchange do |transfer|
          @transfer = transfer
          transfer.cancel if @cancelled
        end
      rescue ConnectionError, TimeoutError => error
        error
      end

      def redirect(answer)
        return if answer.is_a?(Error)

        following = @request.redirect_of(answer.status, answer.headers, now - @started)
        answer.cancel if following
        following
      rescue RedirectError
        answer.cancel
        raise
      end

      # The request of the next attempt, when its time has come; nil when there is none.
      def again(answer)
        following, wait = @request.another(answer, @transfer.answered?, @made, now - @started)
        return unless following

        @made += 1
        answer.cancel if answer.is_a?(Response)
        @pause.wait(wait)
        raise CancelledError.new("the request was cancelled").concerning(@request.to_s) if @cancelled

        following
      end

      def conclude(answer)
        raise answer if answer.is_a?(Error)

        answer.attempts = self if @request.retries.max_retries > @made
        answer
      end

      def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
