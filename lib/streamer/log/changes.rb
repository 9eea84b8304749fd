# frozen_string_literal: true

module Streamer
  class Log
    # A condition variable for threads and for the fibers of any scheduler: Ruby's own lets a fiber sleep, which it takes a scheduler that
    # wakes sleepers to end.
    class Changes # :nodoc:
      def initialize
        @threads = ConditionVariable.new
        @fibers = [] # a Queue each
      end

      # Until the next broadcast; a thread for no more than so many seconds, nil for ever. The lock is held, and given up meanwhile.
      def wait(lock, seconds = nil)
        return @threads.wait(lock, seconds) unless Fiber.current_scheduler

        @fibers << (turn = Thread::Queue.new)
        lock.unlock
        begin
          turn.pop
        ensure
          lock.lock
        end
      end

      # The lock is held.
      def broadcast
        @threads.broadcast
        @fibers.slice!(0..).each { |turn| turn << true }
      end
    end
  end
end
