# frozen_string_literal: true

module Streamer
  module Generation
    # How a job's generations are tried again, and for how long they may take.
    class Policy # :nodoc:
      PARTIAL = %i[keep restart].freeze

      # Seconds: until the first of an answer; between two parts of it; and from a generation's beginning to its end, all attempts together.
      TIMEOUTS = { first_event: 30, event_idle: 30, total: 600 }.freeze

      # attempts: requests at most that a model is asked with. interruptions: how often a worker may vanish with it. partial: what becomes of an
      # answer that had begun, :keep (it fails, with what there is) or :restart (it begins anew, and is paid for anew). retry_on: errors, beside
      # the known ones, after which another try may help. timeouts: as TIMEOUTS, merged into it; nil for none.
      attr_reader :attempts, :interruptions, :partial, :retry_on, :timeouts

      def initialize(attempts: 3, interruptions: 3, partial: :keep, retry_on: [], timeouts: {})
        raise ArgumentError, "retry_partial is :keep or :restart; got #{partial.inspect}" unless PARTIAL.include?(partial)

        { attempts: attempts, interruptions: interruptions }.each do |name, count|
          raise ArgumentError, "#{name} is a number, at least 1; got #{count.inspect}" unless count.is_a?(Integer) && count.positive?
        end

        @attempts = attempts
        @interruptions = interruptions
        @partial = partial
        @retry_on = Array(retry_on)
        @timeouts = TIMEOUTS.merge(checked(timeouts))
      end

      def with(**changes)
        self.class.new(attempts: attempts, interruptions: interruptions, partial: partial, retry_on: retry_on, timeouts: timeouts, **changes)
      end

      # Whether an answer that had begun may be begun anew.
      def restart? = partial == :restart

      # The timeouts of a request of a generation that began so many seconds ago.
      def timeouts_after(seconds)
        total = timeouts[:total]
        { **timeouts, total: total && [total - seconds, 0.001].max }
      end

      # Whether there is no time left so many seconds after the beginning.
      def over?(seconds) = !timeouts[:total].nil? && seconds >= timeouts[:total]

      # Seconds before the next request, after so many; polynomial, as Active Job's :polynomially_longer, and spread.
      def delay(requests, failure)
        [failure.retry_after.to_f, (requests**4) + 2 + (rand * requests)].max
      end

      # Seconds before it is read on where it was cut off, after so many times in which nothing came of that.
      def pause(barren, failure) = [failure.retry_after.to_f, (barren**2) * rand(0.5..1.0)].max

      private

      def checked(timeouts)
        unknown = timeouts.keys - TIMEOUTS.keys
        raise ArgumentError, "unknown timeout #{unknown.first.inspect}; known are #{TIMEOUTS.keys.join(", ")}" if unknown.any?

        timeouts.each do |name, seconds|
          next if seconds.nil? || ((seconds.is_a?(Numeric) || seconds.respond_to?(:to_f)) && seconds.to_f.positive?)

          raise ArgumentError, "the #{name} timeout is a number of seconds, or nil for none; got #{seconds.inspect}"
        end
        timeouts.transform_values { |seconds| seconds&.to_f }
      end
    end
  end
end
