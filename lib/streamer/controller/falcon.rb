# frozen_string_literal: true

module Streamer
  module Controller
    # Falcon's end. At SIGINT (newer versions: SIGTERM too) it stops its event loop's tasks, except requests, which may go on for as long as
    # --graceful-stop says, 1 second unless given; then it kills the process. It tells nobody. So a task of ours that lies beside its own learns
    # of it by being stopped, and drains the streams while they still have their connections.
    module Falcon # :nodoc:
      # Seconds that relays have where config.streamer.drain_timeout is not given: they are to end cleanly before Falcon's own time is over.
      DRAIN_TIMEOUT = 0.8

      @watched = ObjectSpace::WeakMap.new

      class << self
        # Once for each event loop. Inside one.
        def watch
          scheduler = ::Fiber.scheduler
          return if @watched.key?(scheduler)

          @watched[scheduler] = watch_for_end(scheduler)
        end

        private

        # The event loop does not wait for it, nor for its thread.
        def watch_for_end(scheduler)
          ::Async::Task.new(scheduler, transient: true, annotation: "streamer shutdown") do
            sleep
          ensure
            Thread.new { Relay::Registry.drain(Streamer.drain_timeout || DRAIN_TIMEOUT) } if Relay::Registry.busy?
          end.tap(&:run)
        end
      end
    end
  end
end
