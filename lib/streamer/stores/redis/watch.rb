# frozen_string_literal: true

module Streamer
  module Stores
    class Redis
      # Somebody who wants to be told.
      class Watch # :nodoc:
        # Seconds between looks while messages come, which may be lost; and while none can come.
        INTERVAL = 1.0
        BLIND = 0.25
        private_constant :INTERVAL, :BLIND

        def initialize(listener, callback)
          @listener = listener
          @callback = callback
        end

        def interval = @listener.subscribed? ? INTERVAL : BLIND

        def call(keys)
          @callback.call(keys)
        rescue StandardError => error
          Streamer.report(error) # the others want to be told, too
        end

        def close = @listener.unwatch(self)
      end
    end
  end
end
