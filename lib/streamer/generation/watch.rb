# frozen_string_literal: true

module Streamer
  module Generation
    # The thread of a process that looks after what its jobs wait for: whoever waits for a silent upstream cannot look himself. It is there
    # while there is something to look after.
    class Watch # :nodoc:
      # Seconds between looks.
      EVERY = 0.25

      @lock = Mutex.new

      # That of this process; a forked child has its own.
      def self.current
        @lock.synchronize do
          @current = new unless @pid == Process.pid
          @pid = Process.pid
          @current
        end
      end

      def initialize
        @lock = Mutex.new
        @looks = {}.compare_by_identity
      end

      # Calls look now and then, from another thread, until the block has returned.
      def while_waiting(look)
        @lock.synchronize do
          @looks[look] = true
          @thread = Thread.new { run }.tap { |thread| thread.name = "streamer-watch" } unless @thread&.alive?
        end
        yield
      ensure
        @lock.synchronize { @looks.delete(look) }
      end

      private

      def run
        until (looks = remaining).empty?
          looks.each { |look| Streamer.guard { look.call } } # one that goes wrong is no reason to leave the others
          sleep(EVERY)
        end
      end

      # None, and then this thread is nobody's.
      def remaining
        @lock.synchronize do
          @thread = nil if @looks.empty?
          @looks.keys
        end
      end
    end
  end
end
