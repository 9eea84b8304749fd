# frozen_string_literal: true

require_relative "../sinks/connections"
require_relative "../sinks/events"

module Streamer
  # One run of a stream_events block: begins in the action, runs where the server calls the body.
  class Action
    # Captures what a body that runs later, and perhaps in another fiber, would not find any more.
    def initialize(controller, block)
      @controller = controller
      @block = block
      @context = ActiveSupport::IsolatedExecutionState.context
      @locale = I18n.locale
      @zone = Time.zone
      Sinks::Connections.release
    end

    # Until the block has ended; then the sink is closed. Raises only what is no StandardError (a task that is stopped,
    # a thread that is killed).
    def run(sink)
      within_context { stream(Sinks::Events.new(sink)) }
    ensure
      sink.close
    end

    private

    def stream(events)
      events.comment # the head and the first bytes pass every proxy before anything slow begins
      Sinks::Connections.release
      @block.call(events)
    rescue ClientDisconnected
      nil
    rescue StandardError => error
      report(error)
      tell(events, error)
    end

    def report(error)
      log(error)
      request = @controller.request
      ActiveSupport.error_reporter.report(
        error, handled: false, source: "streamer",
        context: { request_id: request.request_id, controller: @controller.class.name, action: @controller.action_name }
      )
    end

    def log(error)
      @controller.logger&.error do
        "Stream ended by #{error.class}: #{error.message}\n#{error.backtrace&.first(20)&.join("\n")}"
      end
    end

    def tell(events, error)
      name = error.is_a?(Error) ? error.class.name.demodulize.underscore : "internal"
      detailed = @controller.request.get_header("action_dispatch.show_detailed_exceptions")
      message = detailed ? error.message : "The stream was interrupted by an error."
      events.write({ error: name, message: message }, event: "error")
    rescue ClientDisconnected
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
