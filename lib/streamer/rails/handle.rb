# frozen_string_literal: true

module Streamer
  # A relay_events from the outside: what it returns.
  #
  #   relay = relay_events client.post_request(...), on_text: ->(text) { relay.stop if text.include?("###") }
  class Handle
    # As given to relay_events, or random; for Streamer::Relay.stop from another request.
    attr_reader :key

    def initialize(relaying) # :nodoc:
      @relaying = relaying
      @key = relaying.key
    end

    # Ends it as Relay.stop does, also before it has begun. From any thread, any number of times; false when it was over.
    def stop = @relaying.stop

    def inspect = "#<Streamer::Handle #{key}>"
  end
end
