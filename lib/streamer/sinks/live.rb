# frozen_string_literal: true

require_relative "base"

module Streamer
  module Sinks
    # response.stream of a controller that includes ActionController::Live.
    class Live < Base
      def initialize(stream, heartbeat:, heartbeat_event: false)
        @stream = stream
        super(heartbeat: heartbeat, heartbeat_event: heartbeat_event)
      end

      def connected? = super && @stream.connected?

      private

      def deliver(bytes) = @stream.write(bytes)

      def finish = @stream.close
    end
  end
end
