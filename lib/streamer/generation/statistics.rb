# frozen_string_literal: true

module Streamer
  module Generation
    # How a model's generations did: of those created within so many seconds, at most SAMPLE of them, the newest.
    #
    #   total, completed, failed, cancelled, timed_out   how many
    #   in_progress, queued                              how many there are now, whatever their age
    #   first_chunk, duration                            { average:, p50:, p95:, p99: } in seconds since they were created; nil without any
    #   failed_share                                     of those that ended, from 0 to 1; nil without any
    class Statistics # :nodoc:
      SAMPLE = 10_000
      private_constant :SAMPLE

      def initialize(model, within)
        @model = model
        @within = within
      end

      def to_h
        rows = @model.where(created_at: @within.seconds.ago..).order(created_at: :desc).limit(SAMPLE)
                     .pluck(:status, :created_at, :first_chunk_at, :finished_at)
        counts = rows.map(&:first).tally
        { total: rows.size, **FINAL.to_h { |status| [status.to_sym, counts.fetch(status, 0)] },
          in_progress: @model.in_progress.count, queued: @model.in_progress.where(phase: "queued").count,
          first_chunk: spread(rows) { |_, created, first, _| first && (first - created) },
          duration: spread(rows) { |_, created, _, finished| finished && (finished - created) }, failed_share: failed_share(counts) }
      end

      private

      def failed_share(counts)
        ended = counts.values_at(*FINAL).sum(&:to_i)
        (counts.fetch("failed", 0) + counts.fetch("timed_out", 0)).fdiv(ended) if ended.positive?
      end

      def spread(rows, &seconds)
        values = rows.filter_map(&seconds).sort
        return if values.empty?

        { average: values.sum / values.size, p50: percentile(values, 0.5), p95: percentile(values, 0.95), p99: percentile(values, 0.99) }
      end

      def percentile(values, share) = values[((values.size - 1) * share).round]
    end
  end
end
