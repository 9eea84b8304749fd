# frozen_string_literal: true

module Streamer
  module Generation
    # What every process sees to now and then, for whichever process has left a generation behind. Any number may do so at once.
    module Upkeep # :nodoc:
      # Seconds that a job which is to recover a generation may take to begin, before another one is enqueued.
      PATIENCE = 60

      # Generations looked at in a round and model.
      PORTION = 100
      private_constant :PATIENCE, :PORTION

      class << self
        # Has a generation whose worker is gone worked on. True when the log is a generation's.
        def recover(log)
          generation = Generation.of_log(log.key) or return false
          return true if generation.settle(log.head)

          enqueue(generation) unless given_up?(generation, log)
          true
        end

        # Begins those whose turn it is, ends those that nobody began in time, and those whose log was closed by somebody who did not come to say so.
        def round
          Generation.models.each_value do |model|
            model.in_progress.where(phase: "waiting").order(:created_at, :id).limit(PORTION).each(&:take_turn)
            model.in_progress.where(updated_at: ...PATIENCE.seconds.ago).limit(PORTION).each { |generation| look_at(generation) }
          end
        end

        private

        def given_up?(generation, log)
          policy = generation.streaming_job_class&.streaming_policy or return false
          return false if log.head.interrupted + 1 < policy.interruptions

          log.claim(mode: "continue")&.close("failed", error: "interrupted", message: Failure::MESSAGES[:interrupted])
          generation.settle
        end

        def enqueue(generation)
          stale = generation.class.in_progress.where(id: generation.id)
          stale = stale.where.not(phase: "recovering").or(stale.where(updated_at: ...PATIENCE.seconds.ago))
          return unless stale.update_all(phase: "recovering", updated_at: Time.current) == 1

          generation.upstream_requests.where(outcome: nil).find_each { |request| request.end_with("interrupted") }
          generation.enqueue_streaming
        end

        def look_at(generation)
          head = generation.log.head
          return if generation.settle(head) || !head.queued? || generation.created_at > generation.queue_deadline.seconds.ago

          generation.log.claim&.close("timed_out", error: "queue_deadline", message: Failure::MESSAGES[:busy])
          generation.settle
        rescue UnknownLogError
          generation.settle
        end
      end
    end
  end
end
