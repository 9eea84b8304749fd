# frozen_string_literal: true

module Streamer
  module Generation
    # How generations did: of those created within so many seconds, at most SAMPLE of each model, the newest.
    #
    #   total, completed, failed, cancelled, timed_out   how many
    #   failed_share                                     of those that ended, from 0 to 1; nil without any
    #   first_chunk, duration                            { average:, p50:, p95:, p99: } in seconds since they were created; nil without any
    #   in_progress, waiting, queued                     how many there are now, whatever their age
    #   overdue_leases                                   workers that were not heard of for too long, now; nil while the logs' store is away
    #   upstream_requests, resumed, resets               requests; those of them that read on; attempts that began anew with text discarded
    #   discarded                                        { requests:, bytes:, usage: } of what was given up; usage: sums by name, of what is known
    #   unknown_usage                                    requests that have ended and whose usage nobody has said
    #   process                                          Streamer.stats of this process: followers of logs (open connections), relays, bytes, ...
    class Statistics # :nodoc:
      SAMPLE = 10_000
      private_constant :SAMPLE

      def initialize(models, within)
        @models = models
        @since = within.seconds.ago
      end

      def to_h
        rows = @models.flat_map { |model| sample(model) }
        counts = rows.map(&:first).tally
        { total: rows.size, **FINAL.to_h { |status| [status.to_sym, counts.fetch(status, 0)] }, failed_share: failed_share(counts),
          first_chunk: spread(rows) { |_, created, first, _| first && (first - created) },
          duration: spread(rows) { |_, created, _, finished| finished && (finished - created) },
          **now, **requests, process: Streamer.stats }
      end

      private

      def sample(model)
        model.where(created_at: @since..).order(created_at: :desc).limit(SAMPLE).pluck(:status, :created_at, :first_chunk_at, :finished_at)
      end

      def now
        phases = @models.map { |model| model.in_progress.group(:phase).count }.reduce({}) { |all, one| all.merge(one) { |_, a, b| a + b } }
        { in_progress: phases.values.sum, waiting: phases.fetch("waiting", 0), queued: phases.fetch("queued", 0), overdue_leases: overdue_leases }
      end

      def overdue_leases
        Log.store.overdue(limit: SAMPLE).count { |key| @models.any? { |model| key.start_with?("#{model.name}:") } }
      rescue StoreUnavailableError
        nil
      end

      def requests
        all = UpstreamRequest.where(generation_type: @models.map { |model| model.base_class.name }, started_at: @since..)
        discarded = all.where(discarded: true)
        { upstream_requests: all.count, resumed: all.where(resumed: true).count,
          resets: discarded.group(:generation_id).distinct.count(:attempt).values.sum,
          discarded: { requests: discarded.count, bytes: discarded.sum(:bytes), usage: sums(discarded) },
          unknown_usage: all.where.not(outcome: nil).where(usage: nil).count }
      end

      def sums(rows)
        rows.where.not(usage: nil).limit(SAMPLE).pluck(:usage).each_with_object(Hash.new(0)) do |usage, sums|
          JSON.parse(usage).each { |name, value| sums[name] += value if value.is_a?(Numeric) }
        end.to_h
      end

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
