# frozen_string_literal: true

module Streamer
  # What goes to ActiveSupport::Notifications where that is loaded: retry.streamer, circuit.streamer and reconnect.streamer.
  module Instrumentation # :nodoc:
    def self.publish(name, **payload)
      ActiveSupport::Notifications.instrument("#{name}.streamer", payload) if defined?(ActiveSupport::Notifications)
    end
  end
  private_constant :Instrumentation
end
