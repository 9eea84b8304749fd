# frozen_string_literal: true

module Streamer
  module Generation
    # How long a block of the application's may take, and what ends it where it waits: an exception in its thread, or in its fiber.
    #
    # One timer of the process looks after all of them, a task of its own event loop after those in fibers.
    class Patience # :nodoc:
      # No StandardError, so that what the block calls takes it for no failure of its own.
      class Interruption < Exception # :nodoc: # rubocop:disable Lint/InheritException
        attr_reader :reason

        def initialize(reason) # :nodoc:
          @reason = reason
          super(reason.message)
        end
      end

      # Seconds between looks: for a stop in a fiber, which nobody may interrupt from another thread.
      LOOK = 1.0
      private_constant :LOOK

      # timeouts: see Policy.
      def initialize(out, timeouts)
        @out = out
        @timeouts = timeouts
        @lock = Mutex.new
      end

      # What the block gives. Raises FirstEventTimeoutError, EventIdleTimeoutError, TotalTimeoutError, StoppedError, FencedError where that ended it.
      def watch(&block)
        @started = Clock.now
        @fiber = Fiber.current if (@scheduler = Fiber.current_scheduler)
        @thread = Thread.current
        Thread.handle_interrupt(Interruption => :never) { guarded(&block) }
      rescue Interruption => error
        raise error.reason
      end

      # For Heartbeat: seconds until the next look; nil for none.
      def beat
        reason = self.reason and return interrupt(reason)

        [LOOK, due - Clock.now].min.clamp(0.001, LOOK)
      end

      private

      def guarded
        timer = Sinks::Heartbeat.start(self, [LOOK, due - Clock.now].min.clamp(0.001, LOOK))
        @out.on_stop { interrupt(@out.refusal) unless @scheduler }
        Thread.handle_interrupt(Interruption => :immediate) { yield }
      ensure
        @lock.synchronize { @over = true }
        timer&.stop
      end

      # Once, and never when the block has ended. nil.
      def interrupt(reason)
        @lock.synchronize do
          next if @over || reason.nil?

          @over = true
          return @thread.raise(Interruption.new(reason)) unless @scheduler
        end
        # Its own event loop's task is what runs this; of another scheduler than async's nobody can be interrupted.
        @scheduler.raise(@fiber, Interruption.new(reason)) if @scheduler && @thread.equal?(Thread.current)
        nil
      end

      # Why it is to end now.
      def reason
        now = Clock.now
        return @out.refusal if now < due

        name, error = limits.min_by(&:first).last
        error.new("nothing came within #{name}, after which this job gives up (stream_timeouts)")
      end

      def due = limits.map(&:first).min || Float::INFINITY

      # [when, [what it is called, the error]] of each.
      def limits
        part = if @out.added_at.nil? then [:first_event, FirstEventTimeoutError, @started]
               else [:event_idle, EventIdleTimeoutError, @out.added_at]
               end
        [part, [:total, TotalTimeoutError, @started]].filter_map do |name, error, since|
          seconds = @timeouts[name]
          [since + seconds, ["#{seconds.round(3)} s (#{name})", error]] if seconds
        end
      end
    end
  end
end
