# frozen_string_literal: true

module Streamer
  module Upstream # :nodoc:
    # A wait for the time to pass, which any thread or fiber may end: in a thread, in any fiber scheduler, and in a source of Streamer.merge.
    class Sleeper # :nodoc:
      # Waits so many seconds, or until cancel, also if that was called before. For one thread or fiber.
      def wait(seconds)
        due = Clock.now + seconds
        source = Source.current
        group = @group = Group.new unless source
        until @cancelled || (left = due - Clock.now) <= 0
          source ? source.pause(left) : group.wait(left)
        end
      end

      # From any thread or fiber. A source notices when it is resumed.
      def cancel
        @cancelled = true
        @group&.interrupt
      end
    end
  end
end
