# frozen_string_literal: true

module Streamer
  class CircuitBreaker
    # A request that was let through, until one of its two ends has come.
    class Permit # :nodoc:
      def initialize(origin, probe, judge, leave)
        @origin = origin
        @probe = probe
        @judge = judge
        @leave = leave
      end

      # outcome: the status of its response, or the error in its place.
      def judge(outcome) = over { @judge.call(@origin, @probe, outcome) }

      # It was cancelled, and says nothing of the upstream.
      def leave = over { @leave.call(@origin) if @probe }

      private

      def over
        yield unless @over
        @over = true
      end
    end

    private_constant :Permit
  end
end
