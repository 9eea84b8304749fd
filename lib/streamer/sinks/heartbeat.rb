# frozen_string_literal: true

module Streamer
  module Sinks
    # Calls a sink's `beat` when it asks for it: in an Async task on the sink's own event loop, where its stream belongs, or
    # else on one Ruby thread for all sinks of the process, which is there only while there are sinks.
    module Heartbeat
      # A sink without heartbeats.
      module None
        def self.stop; end
      end

      # The handle of a sink on the shared thread.
      Handle = Struct.new(:thread, :sink) do
        def stop = thread.remove(sink)
      end

      # The shared thread. A beat that blocks (a browser that does not read, under Live) delays the others until the
      # server gives up on that browser.
      class SharedThread
        attr_reader :pid

        def initialize
          @pid = Process.pid
          @lock = Mutex.new
          @changed = ConditionVariable.new
          @due = {}.compare_by_identity # sink => monotonic seconds
          @thread = nil
        end

        def add(sink, delay)
          @lock.synchronize do
            @due[sink] = Clock.now + delay
            @thread ||= Thread.new { run }.tap { |thread| thread.name = "streamer-heartbeat" }
            @changed.signal
          end
          Handle.new(self, sink)
        end

        def remove(sink)
          @lock.synchronize do
            @due.delete(sink)
            @changed.signal
          end
        end

        private

        def run
          while (sink = wait_for_due)
            delay = sink.beat
            @lock.synchronize { reschedule(sink, delay) }
          end
        end

        # The next sink, when its moment has come; nil when there are none left, and then this thread is nobody's.
        def wait_for_due
          @lock.synchronize do
            until @due.empty?
              sink, due = @due.min_by(&:last)
              delay = due - Clock.now
              return sink unless delay.positive?

              @changed.wait(@lock, delay)
            end
            @thread = nil
          end
        end

        def reschedule(sink, delay)
          return unless @due.key?(sink) # removed while it was beating

          delay ? @due[sink] = Clock.now + delay : @due.delete(sink)
        end
      end

      @lock = Mutex.new
      @shared = nil

      class << self
        # Begins after `interval` seconds (nil or 0: never). The result answers `stop`.
        def start(sink, interval)
          return None unless interval&.positive?
          return task(sink, interval) if defined?(::Async::Task) && ::Async::Task.current?

          shared.add(sink, interval)
        end

        private

        def task(sink, delay)
          ::Async::Task.current.async(transient: true, annotation: "streamer heartbeat") do
            while delay
              sleep(delay)
              delay = sink.beat
            end
          end
        end

        # A thread does not survive a fork, and the parent's sinks are not the child's.
        def shared
          @lock.synchronize { @shared&.pid == Process.pid ? @shared : @shared = SharedThread.new }
        end
      end
    end
  end
end
