# frozen_string_literal: true

module Streamer
  module Sinks
    # Calls a sink's `beat` when it asks for it: in an Async task on the sink's own event loop, where its stream belongs, or
    # else on one Ruby thread for all sinks of the process, which is there only while there are sinks.
    module Heartbeat
      # The variable of a thread whose streams live on a clock of their own, see Testing::EventStream: what starts their heartbeats.
      TIMER = :streamer_heartbeat_timer

      # A sink without heartbeats.
      module None
        def self.stop; end
      end

      # A sink on the shared thread; one that is watched several times is there several times.
      class Handle
        attr_reader :sink

        def initialize(thread, sink)
          @thread = thread
          @sink = sink
        end

        def stop = @thread.remove(self)
      end

      # The shared thread. A beat that blocks (a browser that does not read, under Live) delays the others until the
      # server gives up on that browser.
      class SharedThread
        attr_reader :pid

        def initialize
          @pid = Process.pid
          @lock = Mutex.new
          @changed = ConditionVariable.new
          @due = {}.compare_by_identity # Handle => monotonic seconds
          @thread = nil
        end

        def add(sink, delay)
          handle = Handle.new(self, sink)
          @lock.synchronize do
            @due[handle] = Clock.now + delay
            @thread ||= Thread.new { run }.tap { |thread| thread.name = "streamer-heartbeat" }
            @changed.signal
          end
          handle
        end

        def remove(handle)
          @lock.synchronize do
            @due.delete(handle)
            @changed.signal
          end
        end

        private

        def run
          while (handle = wait_for_due)
            delay = handle.sink.beat
            @lock.synchronize { reschedule(handle, delay) }
          end
        end

        # The next one, when its moment has come; nil when there are none left, and then this thread is nobody's.
        def wait_for_due
          @lock.synchronize do
            until @due.empty?
              handle, due = @due.min_by(&:last)
              delay = due - Clock.now
              return handle unless delay.positive?

              @changed.wait(@lock, delay)
            end
            @thread = nil
          end
        end

        def reschedule(handle, delay)
          return unless @due.key?(handle) # removed while it was beating

          delay ? @due[handle] = Clock.now + delay : @due.delete(handle)
        end
      end

      @lock = Mutex.new
      @shared = nil

      class << self
        # Whether a heartbeat: of stream_events and relay_events may be that.
        def setting?(value) = value.nil? || value == :event || (value.is_a?(Numeric) && !value.negative?)

        # Begins after `interval` seconds (nil or 0: never). The result has `stop`.
        def start(sink, interval)
          timer = Thread.current.thread_variable_get(TIMER) and return timer.start(sink, interval)
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
