# frozen_string_literal: true

module Streamer
  class Log
    # One entry as a reader gets it: an Event with a position.
    class Entry < Event
      # A Position; nil for what is said beside the log and not in it (`recovering`, say).
      attr_reader :position

      def initialize(position:, **event) # :nodoc:
        super(id: position.to_s, **event)
        @position = position
      end

      # :attempt, :state, :gap, :close or :data.
      def kind
        case type
        when "attempt", "state", "gap" then type.to_sym
        else Frames::CLOSES.key?(type) ? :close : :data
        end
      end

      # Of a close: "completed", "failed", "cancelled" or "timed_out".
      def state = Frames::CLOSES[type]

      def inspect = "#<Streamer::Log::Entry #{id} #{type} #{data.inspect}>"
    end
  end
end
