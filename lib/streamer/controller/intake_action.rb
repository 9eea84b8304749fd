# frozen_string_literal: true

require_relative "follow_events"
require_relative "origin"

module Streamer
  module Controller
    # One relay_into: an answer that goes into a log, begun by whoever asks first. Its browser only follows the log, and so does one that
    # comes back.
    class IntakeAction # :nodoc:
      # Raises UnknownLogError, ArgumentError.
      def initialize(controller, log, upstream, finished, **options)
        @request = controller.request
        @log = Log[FollowEvents.key_of(log)]
        # Text is gathered where somebody can ask for it.
        options[:collect] = nil unless finished || options[:on_text] || options[:close].respond_to?(:call)
        @intake = Log::Intake.new(upstream, origin: Origin.new(controller), **options)
        @finished = finished
        return if @intake.native?

        raise ArgumentError, "relay_into takes a request that is not sent yet, with a body that is no IO: nobody waits for its answer here. " \
                             "Log#relay takes every upstream"
      end

      def key = @log.key

      # Claims the log and sends the request off, where nobody is at it and the log is open. Raises InvalidPositionError for a browser that
      # follow_events would refuse, UnknownLogError, StoreUnavailableError.
      def start
        Log::Cursor.of(@request, 1)
        head = @log.head
        return if @request.head? || head.closed? || head.leased?

        writer = @log.claim
        @intake.start(writer, &@finished) if writer
      end

      # As Log#stop; false when it was over.
      def stop
        return false if @log.head.closed?

        @log.stop
        true
      end
    end
  end
end
