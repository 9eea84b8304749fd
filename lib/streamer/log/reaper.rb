# frozen_string_literal: true

module Streamer
  class Log
    # The thread of a process that looks after logs whose writer is gone, and after entries that have been kept long enough. Any number of
    # processes may have one.
    class Reaper # :nodoc:
      include Protection

      # Parts of a lease between looks for logs whose writer is gone, and up to how many more, so that processes do not look all at once: with
      # the lease itself no more than 35 s.
      EVERY = 1 / 10.0
      JITTER = 1 / 20.0

      # Looks in a round. What else there is to do can wait.
      LOOKS = 4
      private_constant :EVERY, :JITTER, :LOOKS

      def initialize(background)
        @background = background
        @store = background.store
        @lock = Mutex.new
      end

      # Once; it goes on until the process ends.
      def start
        @lock.synchronize do
          next if @thread&.alive?

          @thread = Thread.new { run }
          @thread.name = "streamer-reaper"
        end
        self
      end

      # One round, whatever the time. One log that goes wrong is no reason to leave the others.
      def round
        look
        protect { Log.upkeep&.round }
        protect { @store.expired(age: Log.retention).each { |key| protect { prune(key) } } }
      end

      # For logs whose writer is gone.
      def look
        protect { @store.overdue.each { |key| protect { reap(key) } } }
      end

      # Has a log whose writer is gone written on (Log.upkeep), or closes it, with its text: as cancelled where it was to stop, otherwise as
      # failed for the reason `interrupted`.
      def reap(key)
        head = @store.heads([key])[key] or return
        return if !head.stop? && Log.upkeep&.recover(Log[key])

        writer = @background.claim(key, mode: "continue") or return
        Instrumentation.publish("reap", log: key, epoch: writer.epoch)
        writer.close("failed", reason: "interrupted")
        Log.upkeep&.recover(Log[key]) # which has no more to do than to note the end
      rescue LogError
        nil # another was quicker, or the store is away: the next round sees
      end

      private

      def run
        0.step do |number|
          (number % LOOKS).zero? ? round : look
          sleep(@background.lease_keeper.lease * (EVERY + (rand * JITTER)))
        end
      end

      def prune(key)
        head = @store.heads([key])[key] or return
        @store.prune(key, through: head.position)
      end
    end
  end
end
