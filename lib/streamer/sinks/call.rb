# frozen_string_literal: true

module Streamer
  module Sinks
    # An upstream's answer that may not have begun yet, and can be cancelled all the same.
    class Call
      # The upstream, if it can be relayed.
      def self.checked(upstream)
        return upstream if upstream.is_a?(Request) || upstream.respond_to?(:each_frames)

        raise ArgumentError, "a Streamer::Request (of a provider: chat.request) or a Response is relayed; got #{upstream.class}"
      end

      # upstream: a Request, which is sent when the response is asked for; or a Response.
      def initialize(upstream)
        @attempts = Attempts.new(upstream) if upstream.is_a?(Request)
        @response = Call.checked(upstream) unless @attempts
      end

      # The Response, redirects followed and retries made; waits for its head, once. Raises Streamer::Error.
      def response
        @response ||= @attempts.response
      end

      # From any thread or fiber, any number of times, also before the request was sent: whoever waits or reads gets CancelledError.
      def cancel = (@response || @attempts).cancel

      # Of the last request, as Response#timings; nil until it has ended.
      def timings = (@response || @attempts).timings
    end
  end
end
