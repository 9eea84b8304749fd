# frozen_string_literal: true

require "active_support/notifications"

module Streamer
  module Job
    # Jobs that Solid Queue gives up because the process that had claimed them is gone: neither retry_on nor anything else of the job runs then.
    # One that had begun has its log's lease; one that had not has nobody.
    module GivenUp # :nodoc:
      def self.call(job_ids)
        ::SolidQueue::Job.where(id: job_ids).each { |job| requeue(job) if streams?(job) }
      end

      def self.streams?(job)
        type = job.class_name.safe_constantize
        type.is_a?(Class) && type < Job
      end

      # One that goes wrong is no reason to leave the others.
      def self.requeue(job)
        Streamer.guard do
          ::ActiveJob::Arguments.deserialize(job.arguments["arguments"]).grep(Generation).each { |generation| Generation::Upkeep.requeue(generation) }
        end
      end
      private_class_method :streams?, :requeue

      ::ActiveSupport::Notifications.subscribe("fail_many_claimed.solid_queue") { |*, payload| call(payload[:job_ids].to_a) }
    end
  end
end
