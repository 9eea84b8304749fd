# frozen_string_literal: true

module Streamer
  module Generation
    # How a job's generations are tried again, and for how long they may take.
    class Policy # :nodoc:
      PARTIAL = %i[keep restart].freeze

      # attempts: requests at most. interruptions: how often a worker may vanish with it. partial: what becomes of an answer that had begun, :keep
      # (it fails, with what there is) or :restart (it begins anew, and is paid for anew). retry_on: errors, beside the known ones, after which
      # another try may help. total: seconds that all may take together.
      attr_reader :attempts, :interruptions, :partial, :retry_on, :total

      def initialize(attempts: 3, interruptions: 3, partial: :keep, retry_on: [], total: 600)
        raise ArgumentError, "retry_partial is :keep or :restart; got #{partial.inspect}" unless PARTIAL.include?(partial)
        raise ArgumentError, "attempts is at least 1; got #{attempts.inspect}" unless attempts.is_a?(Integer) && attempts.positive?

        @attempts = attempts
        @interruptions = interruptions
        @partial = partial
        @retry_on = Array(retry_on)
        @total = total
      end

      def with(**changes)
        self.class.new(attempts: attempts, interruptions: interruptions, partial: partial, retry_on: retry_on, total: total, **changes)
      end

      # Seconds before the next request, after so many; polynomial, as Active Job's :polynomially_longer, and spread.
      def delay(requests, failure)
        [failure.retry_after.to_f, (requests**4) + 2 + (rand * requests)].max
      end
    end
  end
end
