# frozen_string_literal: true

require_relative "error_reporter"
require_relative "request_context"

module Streamer
  module Controller
    # An action that wants an upstream's answer, in a log or at once.
    class Origin < Log::Origin # :nodoc:
      def initialize(controller)
        @error_reporter = ErrorReporter.new(controller)
        @request_context = RequestContext.new
        super()
      end

      def message(error) = error ? @error_reporter.message_of(error) : MESSAGE

      def report(error) = @error_reporter.report(error)

      # The last event of a stream that failed.
      def frame(error) = @error_reporter.frame(error)

      private

      def within(&callback) = @request_context.within(&callback)

      def context = @error_reporter.context
    end
  end
end
