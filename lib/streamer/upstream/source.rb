# frozen_string_literal: true

module Streamer
  module Upstream # :nodoc:
    # What reads one of several upstreams: a fiber inside the caller's own thread or fiber, which is resumed when its upstream has
    # notifications. It hands values to the caller one by one, so the caller's block runs where it was written, and its pace is every upstream's.
    #
    # Where its work waits for an upstream (Transfer, in C) or between two attempts (Sleeper), it yields to the caller instead.
    class Source # :nodoc:
      # Unwinds the work of a source that nobody reads any more. No StandardError, so that nothing takes it for a failure.
      class Abandoned < Exception; end

      # Where Transfer looks for the source that it is used in; a fiber's own.
      KEY = :__streamer_source

      private_constant :Abandoned, :KEY

      # The source that calls this; nil outside of one.
      def self.current = Thread.current[KEY]

      # name: of its source.
      attr_reader :name, :key

      # When it wants to be resumed without notifications (monotonic seconds); nil when it waits for nothing else.
      attr_reader :due

      # group: the Group that its caller waits with; key: an Integer, its own there. The block is the work; it is given a Proc that hands a
      # value to the caller.
      def initialize(name, group, key, &work)
        @name = name
        @group = group
        @key = key
        @started = false
        @fiber = Fiber.new(blocking: Fiber.current.blocking?) do
          Thread.current[KEY] = self
          work.call(->(value) { Fiber.yield([value]) })
          :ended
        rescue Error => error
          error
        end
      end

      # Resumes it: [value] when it hands one over and shall be resumed at once; nil when it waits; at its end :ended or a
      # Streamer::Error. Raises what else its work raises.
      def resume
        @started = true
        @fiber.resume
      end

      # Ends it where it stands, its requests with it; nothing when it has ended.
      def abandon
        @fiber.raise(Abandoned) if @started && @fiber.alive?
      rescue Abandoned
        nil
      ensure
        leave
      end

      # From its work: waits so many seconds, or until the caller has reason to believe that it should look again.
      def pause(seconds)
        @due = Clock.now + seconds
        Fiber.yield
      ensure
        @due = nil
      end

      # From Transfer, until it is true: whether what is asked of this transfer may be done now. ready: whether it can be done.
      def await(transfer, ready)
        unless @transfer.equal?(transfer)
          follow(transfer)
          return false # it may have become ready before we were notified
        end
        if ready && @resumed
          @resumed = false
          return true
        end
        @group.post(transfer) if ready # the others that are ready come first
        Fiber.yield
        @resumed = true
        false
      end

      private

      def follow(transfer)
        leave
        @group.join(transfer, @key)
        @transfer = transfer
        @resumed = true
      end

      def leave
        @group.leave(@transfer) if @transfer
        @transfer = nil
      end
    end
  end
end
