# frozen_string_literal: true

module Streamer
  module Testing
    class EventStream
      # An Event with the moment at which it was written.
      class Received < Event
        # Seconds on the stream's clock.
        attr_reader :at

        def initialize(event, at) # :nodoc:
          super(data: event.data, type: event.type, id: event.id)
          @at = at
        end
      end
    end
  end
end
