# frozen_string_literal: true

require "active_support/concern"
require_relative "generation"
require_relative "job/given_up"
require_relative "job/quiet"

module Streamer
  # For an Active Job whose work is a generation:
  #
  #   class AiStreamingJob < ApplicationJob
  #     include Streamer::Job
  #     retry_partial :keep
  #
  #     def perform(generation)
  #       stream_into generation, OPENAI.chat(model: "gpt-4.1", messages: generation.messages)
  #     end
  #   end
  #
  # Its log is claimed for the time, so that of several jobs with the same generation one works; a worker that vanishes is noticed by its
  # lease. No database connection is held while the upstream is waited for.
  module Job
    extend ActiveSupport::Concern

    included do
      class_attribute :streaming_policy, instance_writer: false, default: Generation::Policy.new

      # A continuation (Rails 8.1) would run a step again that raised, whatever that costs. What is paid for again is the policy's business.
      before_perform { self.class.resume_errors_after_advancing = false if self.class.respond_to?(:resume_errors_after_advancing=) }
    end

    # What a job's class gets.
    module ClassMethods
      # What becomes of an answer that broke off: :keep, it fails with what there is; :restart, it begins anew and is paid for anew.
      def retry_partial(partial) = self.streaming_policy = streaming_policy.with(partial: partial)

      # attempts: how often a model is asked at most (3). interruptions: how often a worker may vanish (3). on: further errors that may pass.
      def retry_streams(attempts: nil, interruptions: nil, on: nil)
        changes = { attempts: attempts, interruptions: interruptions, retry_on: on }.compact
        self.streaming_policy = streaming_policy.with(**changes)
      end

      # Seconds; nil for none. first_event: until the first part of an answer (30). event_idle: between two (30). total: from a generation's
      # beginning to its end, all attempts together (600). They hold for each request and each block, whatever a client says of the first two.
      def stream_timeouts(**timeouts)
        self.streaming_policy = streaming_policy.with(timeouts: streaming_policy.timeouts.merge(timeouts))
      end
    end

    private

    # Streams an upstream's text into a generation's log, until both are over: a provider's Chat; a Request with value:, the path of its text; or
    # a block, which gets a Generation::Output and writes into it whatever it gets from wherever:
    #
    #   stream_into(generation) { |out| chat.ask(generation.prompt) { |chunk| out << chunk.content } }
    #
    # An error that may pass is followed by another job, where nothing was delivered; every other ends the generation with a message that a
    # person can read. Raises none of them.
    def stream_into(generation, upstream = nil, value: nil, &block)
      source = Generation::Source.of(upstream, value, block)
      Generation::Run.new(generation, source, policy: streaming_policy, stopping: method(:stopping?),
                                              again: method(:stream_again)).call
    end

    # At once where it need not wait: an adapter may take a time that has passed for a mistake.
    def stream_again(seconds) = seconds.positive? ? retry_job(wait: seconds) : retry_job

    # Whether the process is about to end, where the queue says so.
    def stopping?
      adapter = queue_adapter
      (adapter.respond_to?(:stopping?) && adapter.stopping?) || Quiet.here?
    end
  end
end
