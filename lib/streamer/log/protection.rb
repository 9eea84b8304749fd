# frozen_string_literal: true

module Streamer
  class Log
    # For a thread that others rely on: whatever goes wrong is told, and the thread goes on.
    module Protection # :nodoc:
      private

      # What the block gives; nil when it went wrong.
      def protect
        yield
      rescue StoreUnavailableError => error
        Instrumentation.publish("store_unavailable", store: @store.name, error: error)
        nil
      rescue StandardError => error
        Streamer.report(error)
        nil
      end
    end
    private_constant :Protection
  end
end
