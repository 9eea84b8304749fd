# frozen_string_literal: true

module Streamer
  module Testing
    # Whether an EventStream has ended: reads on to see it.
    class EndedMatcher # :nodoc:
      def matches?(stream)
        @event = stream.next
        @event.nil?
      end

      def failure_message = "expected the stream to have ended, and there was\n  #{@event.type} #{@event.data}\n"
      def failure_message_when_negated = "expected the stream to go on, and it has ended"
      def description = "have ended"
    end
  end
end
