# frozen_string_literal: true

module Streamer
  module Generation
    # What every process sees to now and then, for whichever process has left a generation behind. Any number may do so at once.
    module Upkeep # :nodoc:
      # Seconds that a job which is to recover a generation may take to begin, before another one is enqueued.
      PATIENCE = 60

      # Seconds for which a generation may be without its log: it is made once the generation is committed.
      WITHOUT = 60

      # Generations whose logs are looked at together.
      PORTION = 500
      private_constant :PATIENCE, :WITHOUT, :PORTION

      class << self
        # Has a generation whose worker is gone worked on. True when the log is a generation's.
        def recover(log)
          generation = Generation.of_log(log.key) or return false
          head = log.head
          enqueue(generation) unless generation.settle(head) || given_up?(generation, head)
          true
        end

        # Has a generation enqueued again whose job was lost before it began.
        def requeue(generation)
          head = generation.log.head
          generation.enqueue_streaming unless generation.settle(head) || head.owner
        end

        # Begins those whose turn it is, ends those that nobody began in time, and those whose log was closed by somebody who did not come to say so.
        def round
          Generation.models.each_value do |model|
            model.in_progress.where(phase: "waiting").order(:created_at, :id).limit(PORTION).each(&:take_turn)
            model.in_progress.find_in_batches(batch_size: PORTION) do |generations|
              heads = Log.store.heads(generations.map(&:log_key))
              generations.each { |generation| look_at(generation, heads[generation.log_key]) }
            end
          end
        end

        private

        # A worker that vanishes again and again does so because of this generation; and no worker comes to one for which there is none.
        def given_up?(generation, head)
          policy = generation.streaming_job_class&.streaming_policy or return false
          if head.interrupted + 1 >= policy.interruptions
            close(generation, "failed", error: "interrupted", message: Messages[:interrupted])
          elsif generation.created_at < (policy.timeouts[:total].to_f + generation.queue_deadline).seconds.ago
            miss_deadline(generation)
          end
        end

        def miss_deadline(generation) = close(generation, "timed_out", error: "queue_deadline", message: Messages[:busy])

        # True: somebody sees to it.
        def close(generation, state, **data)
          writer = generation.log.claim(mode: "continue") or return true # another is at it
          generation.upstream_requests.end_all("interrupted")
          writer.close(state, **data)
          generation.settle
        end

        def enqueue(generation)
          stale = generation.class.in_progress.where(id: generation.id)
          stale = stale.where.not(phase: "recovering").or(stale.where(updated_at: ...PATIENCE.seconds.ago))
          return unless stale.update_all(phase: "recovering", updated_at: Time.current) == 1

          generation.upstream_requests.end_all("interrupted")
          generation.enqueue_streaming
        end

        # head: nil where there is no log.
        def look_at(generation, head)
          return (generation.settle if generation.created_at < WITHOUT.seconds.ago) unless head
          return if generation.settle(head) || head.leased? || head.overdue?

          waits_since = head.queued? ? generation.created_at : generation.updated_at # the latter: released, and enqueued again
          miss_deadline(generation) if waits_since < generation.queue_deadline.seconds.ago
        rescue FencedError, LogClosedError, UnknownLogError
          nil # another was quicker
        end
      end
    end
  end
end
