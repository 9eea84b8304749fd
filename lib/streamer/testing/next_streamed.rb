# frozen_string_literal: true

require_relative "streamed"

module Streamer
  module Testing
    # Compares the next events of an EventStream with a description, and the time from one to the next with limits; also a matcher for RSpec:
    #
    #   expect(stream).to stream_next({ token: { content: "Hel" } }, :done).after(1).within(2)
    class NextStreamed
      # Descriptions of events as Streamed takes them.
      def initialize(expected)
        @streamed = Streamed.new(expected)
        @count = expected.size
        @after = nil
        @within = nil
      end

      # Each comes at most so many seconds, on the stream's clock, after the one before it or after the opening. Returns self.
      def within(seconds)
        @within = seconds
        self
      end

      # Each comes at least so many seconds after the one before it. Returns self.
      def after(seconds)
        @after = seconds
        self
      end

      def matches?(stream) # :nodoc:
        read(stream)
        @streamed.matches?(@events) && gap.nil?
      end

      def failure_message # :nodoc:
        return @streamed.failure_message + ("  and then the stream has ended\n" if @events.size < @count).to_s unless @streamed.matches?(@events)

        index, seconds = gap
        limits = [("at least #{@after}" if @after), ("at most #{@within}" if @within)].compact.join(" and ")
        "expected #{limits} s before each event; event #{index + 1} (#{@events[index].type}) came after #{seconds.round(3)} s"
      end

      def failure_message_when_negated = @streamed.failure_message_when_negated # :nodoc:
      def description = @streamed.description # :nodoc:

      private

      def read(stream)
        unless stream.is_a?(EventStream)
          raise ArgumentError, "it reads a stream of open_event_stream; got #{stream.class}. Of a response use assert_events (have_streamed)"
        end

        @events = []
        @gaps = []
        @count.times do
          event = stream.next or break
          @events << event
          @gaps << stream.seconds
        end
      end

      # [index, seconds] of the first event that comes too early or too late.
      def gap
        index = @gaps.index { |seconds| (@within && seconds > @within) || (@after && seconds < @after) }
        index && [index, @gaps[index]]
      end
    end
  end
end
