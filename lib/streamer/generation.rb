# frozen_string_literal: true

require "active_support/concern"
require_relative "generation/failure"
require_relative "generation/in_progress_limit"
require_relative "generation/output"
require_relative "generation/policy"
require_relative "generation/run"
require_relative "generation/source"
require_relative "generation/statistics"
require_relative "generation/upkeep"
require_relative "generation/watch"

module Streamer
  # An answer that outlives its request: an Active Record model whose record says how far it is, and whose log has every word of it.
  #
  #   class AiGeneration < ApplicationRecord
  #     include Streamer::Generation
  #     belongs_to :user
  #     streams_in AiStreamingJob
  #     limit_in_progress 3, per: :user
  #   end
  #
  #   generation = current_user.ai_generations.start!(prompt: params[:prompt], idempotency_key: params[:key])
  #   follow_events generation              # in a controller, as often as somebody comes
  #   generation.stop!
  #
  # `rails g streamer:generation AiGeneration` makes the model, its table and all that belongs to it. A record goes once from `processing` to
  # `completed`, `failed`, `cancelled` or `timed_out`; meanwhile `phase` says more: queued, running, recovering, cancelling.
  module Generation
    extend ActiveSupport::Concern

    FINAL = %w[completed failed cancelled timed_out].freeze
    STATUSES = ["processing", *FINAL].freeze

    # Models that are generations: whose logs are looked after when their writer is gone.
    @models = {}

    class << self
      attr_reader :models # :nodoc:

      # The generation that a log belongs to; nil for none. The key names the model, which this process may not have loaded yet.
      def of_log(key) # :nodoc:
        model = key[/\A([A-Z][\w:]*):\w+\z/, 1]&.safe_constantize
        model.find_by(log_key: key) if model.is_a?(Class) && model < Generation
      end
    end

    Log.upkeep = Upkeep

    autoload :UpstreamRequest, "streamer/generation/upstream_request"
    autoload :Scope, "streamer/generation/scope"

    included do
      Generation.models[name] = self

      class_attribute :streaming_job, instance_writer: false
      class_attribute :in_progress_limits, instance_writer: false, default: []
      class_attribute :queue_deadline, instance_writer: false, default: 600

      has_many :upstream_requests, -> { order(:id) }, class_name: "Streamer::Generation::UpstreamRequest", as: :generation, dependent: :delete_all

      validates :status, inclusion: { in: STATUSES }
      after_initialize { self.log_key ||= "#{self.class.name}:#{SecureRandom.alphanumeric(24)}" if new_record? && has_attribute?(:log_key) }
      after_create_commit :begin_streaming
      after_destroy_commit { log.delete }
      scope :in_progress, -> { where(status: "processing") }
    end

    # What a model gets.
    module ClassMethods
      # The job that does the work; it is enqueued with the generation as its argument.
      def streams_in(job) = self.streaming_job = job

      # At most so many in progress for each of what the attribute or association names; per: nil for all together. Beyond them start! raises
      # LimitReachedError.
      def limit_in_progress(count, per: nil) = self.in_progress_limits += [InProgressLimit.new(count, per)]

      # Makes a generation and enqueues its job, once it is committed. The same idempotency_key from the same owner, however often it comes,
      # gives the same one. Raises LimitReachedError, ActiveRecord::RecordInvalid.
      def start!(idempotency_key: nil, **attributes)
        key = idempotency_key.presence
        started_with(key) || transaction(requires_new: true) do
          generation = new(idempotency_key: key, **attributes)
          in_progress_limits.each { |limit| limit.admit(generation) }
          generation.tap(&:save!)
        end
      rescue ::ActiveRecord::RecordNotUnique
        started_with(key) or raise
      end

      # What there was in the last so many seconds, a Hash: see Statistics.
      def stats(within: 86_400) = Statistics.new(self, within).to_h

      private

      def started_with(key) = key && find_by(idempotency_key: key)
    end

    # The Log of its entries.
    def log = Log[log_key]

    def processing? = status == "processing"

    def finished? = !processing?

    # What there is of the text, also while it is made.
    def text = content || log.text

    # Asks the attempt that is under way to stop, or the one that is named: from any process. What the page of an earlier attempt asks for does
    # nothing. True when it is going to stop, or had ended.
    def stop!(attempt: nil)
      return true if finished?

      head = log.stop(epoch: attempt)
      return settle(head) if head.closed?

      attempt.nil? || attempt == head.epoch
    end

    # Brings the record in line with a log that was closed by somebody who did not come to say so here. True when the record is final.
    def settle(head = log.head)
      return finished? unless head.closed?

      last = log.entries(after: Log::Position.new(head.epoch, head.sequence - 1)).last
      said = last ? last.json : {}
      finish(head.state, error: said["error"] || said["reason"], error_message: said["message"], usage: said["usage"])
      true
    rescue UnknownLogError
      finish("failed", error: "log_lost", error_message: Failure::MESSAGES[:interrupted])
    end

    # Final, once, whoever comes first. Whether it was this one.
    def finish(state, **attributes) # :nodoc:
      text = self.class.in_progress.exists?(id) ? log.text : nil
      changes = { status: state, phase: nil, content: text, finished_at: Time.current, updated_at: Time.current, **attributes.compact }
      won = self.class.in_progress.where(id: id).update_all(changes) == 1
      reload
      Instrumentation.publish("generation", generation: self, status: state) if won
      won
    end

    # Notes what it is at, unless it is over.
    def progress(phase, **attributes) # :nodoc:
      self.class.in_progress.where(id: id).update_all(phase: phase, updated_at: Time.current, **attributes)
      reload
    end

    def enqueue_streaming = streaming_job_class&.perform_later(self) # :nodoc:

    def streaming_job_class = streaming_job.is_a?(String) ? streaming_job.constantize : streaming_job # :nodoc:

    private

    def begin_streaming
      Log.create(log_key)
      enqueue_streaming
    end
  end
end
