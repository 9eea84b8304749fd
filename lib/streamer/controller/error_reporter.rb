# frozen_string_literal: true

module Streamer
  module Controller
    # What becomes of an error once the head is sent: one report to the application, one event to the browser. Keeps what it needs of the
    # request, not the request.
    class ErrorReporter # :nodoc:
      # Which request it was: request_id, controller, action.
      attr_reader :context

      def initialize(controller)
        request = controller.request
        @logger = controller.logger
        @detailed = request.get_header("action_dispatch.show_detailed_exceptions")
        @context = { request_id: request.request_id, controller: controller.class.name, action: controller.action_name }
      end

      def report(error)
        @logger&.error { "Stream ended by #{error.class}: #{error.message}\n#{error.backtrace&.first(20)&.join("\n")}" }
        ActiveSupport.error_reporter.report(error, handled: false, source: "streamer", context: @context)
      end

      # The last event of a stream that failed.
      def frame(error) = Encoder.encode({ error: Error.name_of(error), message: message_of(error) }, event: "error")

      # What a browser may read of it.
      def message_of(error) = @detailed ? error.message : Log::Origin::MESSAGE
    end
  end
end
