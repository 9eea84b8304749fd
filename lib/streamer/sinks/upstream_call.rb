# frozen_string_literal: true

module Streamer
  module Sinks
    # An upstream's response that may not have begun yet, and can be cancelled all the same.
    class UpstreamCall
      # upstream: a Request, which is sent when the response is asked for; or a Response.
      def initialize(upstream)
        @fetch = Upstream::Fetch.new(upstream) if upstream.is_a?(Request)
        @response = upstream unless @fetch
      end

      # The Response, redirects followed and retries made; waits for its head, once. Raises Streamer::Error.
      def response
        @response ||= @fetch.response
      end

      # From any thread or fiber, any number of times, also before the request was sent: whoever waits or reads gets CancelledError.
      def cancel = (@response || @fetch).cancel

      # Of the last request, as Response#timings; nil until it has ended.
      def timings = (@response || @fetch).timings
    end
  end
end
