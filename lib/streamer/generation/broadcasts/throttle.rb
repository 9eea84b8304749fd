# frozen_string_literal: true

module Streamer
  module Generation
    module Broadcasts
      # The thread of a process that broadcasts: of each feed the first at once, and then, however much is written, one each time that its
      # pause is over. A channel that is slow makes passages longer and nobody wait but the other feeds.
      class Throttle # :nodoc:
        # Seconds for which the thread waits for something to do before it ends.
        IDLE = 5
        private_constant :IDLE

        def initialize
          @lock = Mutex.new
          @changed = ConditionVariable.new
          @waiting = {}.compare_by_identity # Feed => true
        end

        # The log of a feed has something new. From any thread; never waits.
        def notify(feed)
          @lock.synchronize do
            next if @waiting.key?(feed)

            @waiting[feed] = true
            @thread = Thread.new { run }.tap { |thread| thread.name = "streamer-broadcasts" } unless @thread&.alive?
            @changed.signal
          end
        end

        private

        def run
          while (feed = wait)
            Relay::Dispatcher.guard { notify(feed) if feed.broadcast }
            Sinks::ConnectionPools.release
          end
        end

        # The next feed that is due; nil when there has been none for a while, and then this thread is nobody's.
        def wait
          @lock.synchronize do
            loop do
              @changed.wait(@lock, IDLE) if @waiting.empty?
              return @thread = nil if @waiting.empty?

              feed = @waiting.each_key.min_by(&:due)
              pause = feed.due - Clock.now
              return feed.tap { @waiting.delete(feed) } unless pause.positive?

              @changed.wait(@lock, pause)
            end
          end
        end
      end
    end
  end
end
