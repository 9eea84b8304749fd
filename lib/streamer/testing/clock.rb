# frozen_string_literal: true

module Streamer
  module Testing
    # Time that passes only where somebody says so: that of a stream which a test reads as it comes. Seconds, from 0.
    #
    #   clock = Streamer::Testing::Clock.new
    #   clock.sleep(3)   # what a stream's block calls when it sleeps
    #   clock.now        # => 3.0
    class Clock
      def initialize # :nodoc:
        @lock = Mutex.new
        @now = 0.0
      end

      # Seconds since the clock was made, a Float.
      def now = @lock.synchronize { @now }

      # Lets so many seconds pass. Returns self. ArgumentError where they are no number or go back.
      def advance(seconds)
        raise ArgumentError, "a clock advances by a number of seconds, 0 or more; got #{seconds.inspect}" unless duration?(seconds)

        @lock.synchronize { @now += seconds.to_f }
        self
      end

      # In the place of Kernel#sleep: the time passes at once. Returns the whole seconds, as Kernel#sleep does.
      def sleep(seconds) = advance(seconds).then { seconds.to_f.round }

      private

      def duration?(seconds)
        seconds.respond_to?(:to_f) && !seconds.is_a?(String) && !seconds.to_f.negative?
      end
    end
  end
end
