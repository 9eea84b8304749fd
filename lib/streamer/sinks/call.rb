# frozen_string_literal: true

module Streamer
  module Sinks
    # An upstream's answer that may not have begun yet, and can be cancelled all the same.
    class Call
      # upstream: a Request, which is sent when the response is asked for; or a Response.
      def initialize(upstream)
        @upstream = upstream
      end

      # The Response, redirects followed; waits for its head, once. Raises Streamer::Error.
      def response
        @response ||= @upstream.is_a?(Request) ? exchange(@upstream) : @upstream
      end

      # From any thread or fiber, any number of times, also before the request was sent: whoever waits or reads gets CancelledError.
      def cancel
        @cancelled = true
        (@response || @transfer || (@upstream unless @upstream.is_a?(Request)))&.cancel
      end

      # Of the last request, as Response#timings; nil until it has ended.
      def timings = (@response || @transfer)&.timings

      private

      def exchange(request)
        return request.call if request.streams_body?

        started = now
        transfer = @transfer = request.start
        transfer.cancel if @cancelled
        answer = Response.new(request, transfer, transfer.wait_head)
        following = request.redirect_of(answer.status, answer.headers, now - started)
        following ? exchange(following) : answer
      rescue Error => error
        raise error.concerning(request.to_s)
      ensure
        transfer&.cancel unless answer && !following
      end

      def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
