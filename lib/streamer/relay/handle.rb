# frozen_string_literal: true

module Streamer
  class Relay
    # A relay_events from the outside: what it returns.
    #
    #   relay = relay_events client.request(:post, ...), on_text: ->(text) { relay.stop if text.include?("###") }
    class Handle
      # As given to relay_events, or random; for Streamer.stop from another request.
      attr_reader :key

      def initialize(action) # :nodoc:
        @action = action
        @key = action.key
      end

      # Ends it as Streamer.stop does, also before it has begun. From any thread, any number of times; false when it was over.
      def stop = @action.stop

      def inspect = "#<Streamer::Relay::Handle #{key}>"
    end
  end
end
