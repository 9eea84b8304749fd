# frozen_string_literal: true

require_relative "../sinks/connection_pools"
require_relative "../sinks/events"
require_relative "error_reporter"
require_relative "open_streams"
require_relative "request_context"

module Streamer
  module Controller
    # One run of a stream_events block: begins in the action, runs where the server calls the body.
    class StreamAction # :nodoc:
      def initialize(controller, block)
        @controller = controller
        @error_reporter = ErrorReporter.new(controller)
        @block = block
        @request_context = RequestContext.new
        Sinks::ConnectionPools.release
      end

      # Until the block has ended; then the sink is closed. Raises only what is no StandardError (a task that is stopped,
      # a thread that is killed).
      def run(sink)
        OpenStreams.hold(sink) { @request_context.continue { stream(sink) } }
      ensure
        sink.close
      end

      # Whether it ended with an error.
      def failed? = @failed == true

      # Instead of run, where there is nothing to write to.
      def refuse(error) = @error_reporter.report(error)

      # Where the server never calls the body.
      def abandon; end

      private

      def stream(sink)
        events = Sinks::Events.new(sink, @controller)
        events.comment # the head and the first bytes pass every proxy before anything slow begins
        Sinks::ConnectionPools.release
        @block.call(events)
      rescue BrowserDisconnectedError
        nil
      rescue StandardError => error
        @failed = true
        @error_reporter.report(error)
        tell(sink, error)
      end

      def tell(sink, error)
        sink.write(@error_reporter.frame(error))
      rescue BrowserDisconnectedError
        nil
      end
    end
  end
end
