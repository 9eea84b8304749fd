# frozen_string_literal: true

module Streamer
  module Upstream # :nodoc:
    # What reads one of several upstreams: a fiber inside the caller's own thread or fiber, which is given its turn when its upstream has
    # news. It hands values to the caller one by one, so the caller's block runs where it was written, and its pace is every upstream's.
    #
    # Where its work waits for an upstream (Transfer, in C) or between two attempts (Sleeper), it gives the turn back instead.
    class Source # :nodoc:
      # Unwinds the work of a branch that nobody reads any more. No StandardError, so that nothing takes it for a failure.
      class Abandoned < Exception; end

      # Where Transfer looks for the branch that it is used in; a fiber's own.
      KEY = :__streamer_branch

      private_constant :Abandoned, :KEY

      # The branch that calls this; nil outside of one.
      def self.current = Thread.current[KEY]

      # name: of its source.
      attr_reader :name, :key

      # When it wants its turn without news (monotonic seconds); nil when news are all that it waits for.
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

      # Takes its turn: [value] when it hands one over and shall be resumed at once; nil when it waits; at its end :ended or a
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
        @due = now + seconds
        Fiber.yield
      ensure
        @due = nil
      end

      # From Transfer, until it is true: whether what is asked of this transfer may be done now. ready: whether it can be done.
      def await(transfer, ready)
        unless @transfer.equal?(transfer)
          follow(transfer)
          return false # it may have become ready before its news were ours
        end
        if ready && @my_turn
          @my_turn = false
          return true
        end
        @group.post(transfer) if ready # the others with news come first
        Fiber.yield
        @my_turn = true
        false
      end

      private

      def follow(transfer)
        leave
        @group.join(transfer, @key)
        @transfer = transfer
        @my_turn = true
      end

      def leave
        @group.leave(@transfer) if @transfer
        @transfer = nil
      end

      def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
