# frozen_string_literal: true

require_relative "redirect"

module Streamer
  module Upstream # :nodoc:
    # What becomes of a request: whether it may be sent, and whether its outcome is final or followed by another request, since it was
    # redirected or is tried again. The one place that decides it. It counts attempts and redirects, adds up the time that the total timeout
    # spans, and holds the permit of a circuit breaker. It never waits and sends nothing: that is for those who run it, Fetch, Sinks::Socket
    # and Relay::Detached.
    #
    # For one thread or fiber at a time. Subscribers of notifications run in it: hold no lock.
    class Exchange # :nodoc:
      # The Request of the current attempt.
      attr_reader :request

      # Seconds before the current attempt: those of earlier ones and of the waits between them.
      attr_reader :elapsed

      def initialize(request)
        @request = request
        @total = request.timeouts[:total].to_f
        @retries = @redirects = 0
        @elapsed = 0.0
      end

      # Before each attempt. Raises CircuitOpenError.
      def admit
        @permit = request.circuit&.enter(request.origin)
      end

      # What the circuit breaker learns of the attempt, as soon as it is known; the first call counts. outcome: a status, or the error in its
      # place; nil when nobody waited for either any more.
      def judge(outcome)
        outcome ? @permit&.judge(outcome) : @permit&.leave
      end

      # What follows an attempt of which nothing was delivered: nil when its outcome is final, otherwise the Request to send next, which is
      # then the current one, and the seconds to wait before. outcome: a Response, a ResponseError, or the Error in its place. answered:
      # whether a line of a response had arrived. elapsed: seconds that the attempt took. Raises RedirectError.
      def next(outcome, answered:, elapsed:)
        judge(outcome.respond_to?(:status) ? outcome.status : outcome)
        spent = @elapsed + elapsed
        following, delay = redirect(outcome, spent) || retry_of(outcome, answered, spent)
        return unless following

        @elapsed = spent + delay
        @request = following
        [following, delay]
      end

      # Whether another attempt is left.
      def retries_left? = @retries < request.retries.max_retries

      private

      def redirect(outcome, spent)
        return unless outcome.respond_to?(:status) && request.redirects.positive?

        following = Redirect.follow(request, outcome.status, outcome.headers) or return
        raise RedirectError, "redirected more often than #{request.redirects} times (redirects:)" if @redirects == request.redirects

        @redirects += 1
        [in_time_left(following, spent), 0]
      rescue RedirectError => error
        raise error.concerning(request.to_s)
      end

      def retry_of(outcome, answered, spent)
        delay = request.retries.delay_after(outcome, request.method, answered, @retries)
        return if delay.nil? || delay >= time_left(spent) || !request.body.rewind

        @retries += 1
        cause = outcome.respond_to?(:status) ? { status: outcome.status } : { error: outcome }
        Instrumentation.publish("retry", request: request.to_s, attempt: @retries, wait: delay, **cause)
        [in_time_left(request, spent + delay), delay]
      end

      def time_left(spent) = @total.positive? ? @total - spent : Float::INFINITY

      # The request with what is left of the total timeout.
      def in_time_left(request, spent)
        return request unless @total.positive?

        request.with(timeouts: request.timeouts.merge(total: [time_left(spent), 0.001].max))
      end
    end
  end
end
