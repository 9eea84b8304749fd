# frozen_string_literal: true

require_relative "../sinks/connection_pools"
require_relative "../sinks/events"
require_relative "error_reporter"

module Streamer
  module Controller
    # One run of a stream_events block: begins in the action, runs where the server calls the body.
    class StreamAction # :nodoc:
      # Captures what a body that runs later, and perhaps in another fiber, would not find any more.
      def initialize(controller, block)
        @error_reporter = ErrorReporter.new(controller)
        @block = block
        @context = ActiveSupport::IsolatedExecutionState.context
        @locale = I18n.locale
        @zone = Time.zone
        Sinks::ConnectionPools.release
      end

      # Until the block has ended; then the sink is closed. Raises only what is no StandardError (a task that is stopped,
      # a thread that is killed).
      def run(sink)
        within_context { stream(sink) }
      ensure
        sink.close
      end

      # Instead of run, where there is nothing to write to.
      def refuse(error) = @error_reporter.report(error)

      # Where the server never calls the body.
      def abandon; end

      private

      def stream(sink)
        events = Sinks::Events.new(sink)
        events.comment # the head and the first bytes pass every proxy before anything slow begins
        Sinks::ConnectionPools.release
        @block.call(events)
      rescue BrowserDisconnectedError
        nil
      rescue StandardError => error
        @error_reporter.report(error)
        tell(sink, error)
      end

      def tell(sink, error)
        sink.write(@error_reporter.frame(error))
      rescue BrowserDisconnectedError
        nil
      end

      def within_context(&block)
        in_execution_state { I18n.with_locale(@locale) { Time.use_zone(@zone, &block) } }
      end

      # With config.active_support.isolation_level = :fiber, CurrentAttributes and their kind belong to the fiber of the request;
      # Falcon runs a body in a fiber of its own.
      def in_execution_state
        here = ActiveSupport::IsolatedExecutionState.context
        return yield if here.equal?(@context)

        outer = here.active_support_execution_state
        here.active_support_execution_state = @context.active_support_execution_state.dup
        begin
          yield
        ensure
          here.active_support_execution_state = outer
        end
      end
    end
  end
end
