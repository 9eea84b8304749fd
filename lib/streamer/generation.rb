# frozen_string_literal: true

require "active_support/concern"
require_relative "generation/broadcasts"
require_relative "generation/failure"
require_relative "generation/idempotency"
require_relative "generation/in_progress_limit"
require_relative "generation/ledger"
require_relative "generation/messages"
require_relative "generation/output"
require_relative "generation/patience"
require_relative "generation/policy"
require_relative "generation/resume_point"
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

    # How it may end; a record that has one of these keeps it.
    FINAL = %w[completed failed cancelled timed_out].freeze
    # What its status may be.
    STATUSES = ["processing", *FINAL].freeze

    # Models that are generations: whose logs are looked after when their writer is gone.
    @models = {}
    @in_progress_limits = []

    class << self
      attr_reader :models, :in_progress_limits # :nodoc:

      # The generation that a log belongs to; nil for none. The key names the model, which this process may not have loaded yet.
      def of_log(key) # :nodoc:
        model = key[/\A([A-Z][\w:]*):\w+\z/, 1]&.safe_constantize
        model.find_by(log_key: key) if model.is_a?(Class) && model < Generation
      end

      # As a model's limit_in_progress, of all models together: of those that have what per: names, such as a column `provider`. For an initializer;
      # a model that is not loaded is not counted.
      def limit_in_progress(count, **options)
        @in_progress_limits << InProgressLimit.new(count, name: "Streamer::Generation", **options) { models.values }
      end

      # What there was of all models in the last so many seconds, a Hash: see Statistics.
      def stats(within: 86_400) = Statistics.new(models.values, within).to_h
    end

    Log.upkeep = Upkeep

    autoload :UpstreamRequest, "streamer/generation/upstream_request"
    autoload :Scope, "streamer/generation/scope"

    included do
      include Broadcasts

      Generation.models[name] = self

      class_attribute :streaming_job, instance_writer: false
      class_attribute :in_progress_limits, instance_writer: false, default: []
      class_attribute :queue_deadline, instance_writer: false, default: 600

      has_many :upstream_requests, -> { order(:id) }, class_name: "Streamer::Generation::UpstreamRequest", as: :generation, dependent: :delete_all

      attribute :usage, ::ActiveRecord::Type::Json.new # MariaDB's own type is text

      validates :status, inclusion: { in: STATUSES }
      attr_readonly :log_key
      after_initialize { self.log_key ||= "#{self.class.name}:#{SecureRandom.alphanumeric(24)}" if new_record? && has_attribute?(:log_key) }
      # In the record's transaction where the store is in its database, so that there is never the one without the other.
      after_create { Log.create(log_key) }
      after_rollback :forget_log, on: :create
      after_create_commit :begin_streaming
      after_destroy_commit { log.delete }
      scope :in_progress, -> { where(status: "processing") }
    end

    # What a model gets.
    module ClassMethods
      # The job that does the work; it is enqueued with the generation as its argument.
      def streams_in(job) = self.streaming_job = job

      # At most so many in progress for each of what the attribute or association names; per: nil for all together. Beyond them start! raises
      # LimitReachedError; or with queue:, what comes waits its turn, in order, and begins when a slot is free (true, or at most so many wait);
      # or with interrupt: true, the oldest is stopped for it.
      def limit_in_progress(count, per: nil, queue: nil, interrupt: false)
        model = self
        self.in_progress_limits += [InProgressLimit.new(count, per: per, queue: queue, interrupt: interrupt, name: name) { [model] }]
      end

      # Makes a generation and enqueues its job, once it is committed. The same idempotency_key from the same owner, however often it comes,
      # gives the same one. One that cannot be enqueued fails, and says so. Raises LimitReachedError, ActiveRecord::RecordInvalid.
      def start!(idempotency_key: nil, **attributes)
        generation = new(idempotency_key: idempotency_key.presence, **attributes)
        Idempotency.started(generation) || transaction(requires_new: true) { generation.admit || generation.tap(&:save!) }
      rescue ::ActiveRecord::RecordNotUnique
        Idempotency.started(generation, lock: true) or raise
      end

      # What there was in the last so many seconds, a Hash: see Statistics.
      def stats(within: 86_400) = Statistics.new([self], within).to_h
    end

    # The Log of its entries.
    def log = Log[log_key]

    # Whether its status may still change.
    def processing? = status == "processing"

    # Whether its status is final.
    def finished? = !processing?

    # What there is of the text, also while it is made.
    def text
      content || log.text
    rescue UnknownLogError
      ""
    end

    # Asks the attempt that is under way to stop, or the one that is named: from any process, any number of times. What the page of an earlier
    # attempt asks for does nothing. True when it is going to stop, or had ended; the record says how it is then.
    def stop!(attempt: nil)
      return true if finished?

      head = log.stop(epoch: attempt)
      return settle(head) if head.closed?

      head.stop? ? progress("cancelling") : reload
      head.stop?
    rescue UnknownLogError
      settle
    end

    # Brings the record in line with a log that was closed by somebody who did not come to say so here. True when the record is final.
    def settle(head = nil)
      head ||= log.head
      return finished? unless head.closed?

      last = log.entries(after: head.position.before).last
      said = last ? last.json : {}
      finish(head.state, error: said["error"] || said["reason"], error_message: said["message"], usage: said["usage"])
      true
    rescue UnknownLogError
      finish("failed", error: "log_lost", error_message: Messages[:interrupted])
      true
    end

    # Final, once, whoever comes first. Whether it was this one.
    def finish(state, **attributes) # :nodoc:
      won = self.class.in_progress.exists?(id) && write_end(status: state, phase: nil, finished_at: Time.current, updated_at: Time.current,
                                                            **attributes.compact)
      reload
      ended if won
      won
    end

    # Notes what it is at, unless it is over.
    def progress(phase, **attributes) # :nodoc:
      self.class.in_progress.where(id: id).update_all(phase: phase, updated_at: Time.current, **attributes)
      reload
    end

    # Before it is saved, in its transaction: nil when it may be; the one that its key has started meanwhile. Raises LimitReachedError.
    def admit # :nodoc:
      limits = applying_limits
      limits.each { |limit| limit.lock(self) }
      started = Idempotency.started(self) if limits.any?
      return started if started

      stops = limits.filter_map { |limit| limit.admit(self) }
      self.phase = "waiting" if stops.any?
      @stops = stops.flatten
      nil
    end

    # Gives one that waits its turn, where there is a slot for it. Whether it did.
    def take_turn # :nodoc:
      began = self.class.transaction(requires_new: true) do
        limits = applying_limits
        limits.each { |limit| limit.lock(self) }
        waiting = self.class.in_progress.where(id: id, phase: "waiting")
        limits.all? { |limit| limit.room?(self) } && waiting.update_all(phase: "queued", updated_at: Time.current) == 1
      end
      enqueue_or_fail if began
      began
    end

    # Whoever waits for a slot that may be free now begins.
    def give_turns # :nodoc:
      applying_limits.select(&:turns?).each { |limit| limit.waiting(self).each { |other| other.take_turn or break } }
    end

    # Raises Streamer::Error, or what the queue has to say, where it could not be enqueued.
    def enqueue_streaming # :nodoc:
      job = streaming_job_class or return
      error = nil
      job.perform_later(self) { |enqueued| error = enqueued.enqueue_error } or raise error || Error.new("#{job} was not enqueued (before_enqueue)")
    end

    # Nobody is going to come to it: it ends.
    def not_queued(error) # :nodoc:
      Streamer.report(error)
      log.claim(mode: "continue")&.close("failed", error: "not_queued", message: Messages[:not_queued])
      settle
    rescue LogError => error
      Streamer.report(error) # the store is away as well: it is seen to when the time to be begun in is over
    end

    def streaming_job_class = streaming_job.is_a?(String) ? streaming_job.constantize : streaming_job # :nodoc:

    private

    def applying_limits = (in_progress_limits + Generation.in_progress_limits).select { |limit| limit.concerns?(self) }

    # Of a store that is not the record's database: nothing was rolled back there.
    def forget_log
      log.delete
    rescue StoreUnavailableError => error
      Streamer.report(error)
    end

    def begin_streaming
      enqueue_or_fail unless phase == "waiting"
      @stops&.each(&:stop!)
    rescue StoreUnavailableError => error
      Streamer.report(error) # those that were to be stopped end by themselves, and it begins then
    end

    def enqueue_or_fail
      enqueue_streaming
    rescue StandardError => error
      not_queued(error)
    end

    # Once. Text that the column has no room for stays in the log alone, which is better than a generation that never ends.
    def write_end(**changes)
      row = self.class.in_progress.where(id: id)
      row.update_all(content: final_text, **changes) == 1
    rescue ::ActiveRecord::ValueTooLong => error
      Streamer.report(error)
      row.update_all(changes) == 1
    end

    # PostgreSQL's text has no NUL.
    def final_text
      text = log.text
      text.include?("\0") ? text.delete("\0") : text
    rescue UnknownLogError
      nil
    end

    # What follows from its being over: the rest of what its process did not come to.
    def ended
      upstream_requests.end_all(status)
      Instrumentation.publish("generation", generation: self, status: status, error: error, duration: finished_at - created_at)
      broadcast_end
      give_turns
    rescue ::ActiveRecord::ActiveRecordError, StoreUnavailableError => error
      Streamer.report(error) # it is over all the same; Upkeep gives the turns, too
    end
  end
end
