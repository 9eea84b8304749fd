# frozen_string_literal: true

module Streamer
  module Testing
    # Whether a response is one that an EventSource takes. Others end it for good, or make it come back for ever.
    class EventStreamMatcher # :nodoc:
      def matches?(response)
        @status = response.status
        @type = response.headers.find { |name, _| name.casecmp?("content-type") }&.last
        @status == 200 && @type.to_s.start_with?("text/event-stream")
      end

      def failure_message = "expected an event stream (200, text/event-stream), and it is #{@status} #{@type || "without a type"}"
      def failure_message_when_negated = "expected no event stream"
      def description = "be an event stream"
    end
  end
end
