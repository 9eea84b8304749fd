# frozen_string_literal: true

module Streamer
  module Testing
    class EventStream
      # The heartbeats of a stream's sinks on the stream's clock, and the `sleep` of its controller.
      class Beats # :nodoc:
        Handle = Struct.new(:sinks, :sink) do
          def stop = sinks.delete(sink)
        end
        private_constant :Handle

        def initialize(clock)
          @clock = clock
          @sinks = {}.compare_by_identity # with their seconds of silence
          @written_at = clock.now
        end

        # In the place of Sinks::Heartbeat.start.
        def start(sink, interval)
          @sinks[sink] = interval
          Handle.new(@sinks, sink)
        end

        def written = @written_at = @clock.now

        # From now on `sleep` in the controller is the clock's.
        def slow(controller)
          beats = self
          controller&.define_singleton_method(:sleep) { |seconds| beats.sleep(seconds) }
        end

        # Passes the time with a heartbeat after each silence that is long enough.
        def sleep(seconds)
          over = @clock.now + seconds.to_f
          while (due = next_due) && due <= over
            @clock.sleep(due - @clock.now)
            beat
          end
          @clock.sleep(over - @clock.now)
          seconds.to_f.round
        end

        # A heartbeat now: that is how a stream learns that its browser has left.
        def beat
          @sinks.each_key do |sink|
            sink.write(sink.heartbeat_frame)
          rescue BrowserDisconnectedError
            nil # and so it did
          end
        end

        private

        def next_due
          interval = @sinks.values.select { |seconds| seconds&.positive? }.min
          interval && (@written_at + interval)
        end
      end
      private_constant :Beats
    end
  end
end
