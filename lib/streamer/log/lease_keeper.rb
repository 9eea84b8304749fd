# frozen_string_literal: true

module Streamer
  class Log
    # The thread of a process that renews its writers' leases, and hears what was asked of them meanwhile.
    class LeaseKeeper # :nodoc:
      include Protection

      # Seconds between looks at what somebody may have asked of a writer, however many wakes come.
      LOOK = 0.05
      private_constant :LOOK

      attr_reader :owner, :lease

      def initialize(store, lease:)
        @store = store
        @lease = lease
        @owner = "#{Socket.gethostname}:#{Process.pid}:#{SecureRandom.hex(4)}"[0, 100]
        @lock = Mutex.new
        @changed = ConditionVariable.new
        @writers = {} # key => Writer
        @reserved = {} # key => true
        @woken = false
      end

      # The writers that are at work.
      def writers = @lock.synchronize { @writers.values }

      # What the block gives, or nil while a writer of this process is at work, or about to be: to a store all of them are one owner.
      def reserve(key)
        @lock.synchronize do
          return if @writers.key?(key) || @reserved.key?(key)

          @reserved[key] = true
        end
        begin
          yield
        ensure
          @lock.synchronize { @reserved.delete(key) }
        end
      end

      def add(writer)
        @lock.synchronize do
          @writers[writer.key] = writer
          @thread = Thread.new { run }.tap { |thread| thread.name = "streamer-leases" } unless @thread&.alive?
        end
      end

      def remove(writer)
        @lock.synchronize do
          next unless @writers[writer.key].equal?(writer)

          @writers.delete(writer.key)
          @changed.signal if @writers.empty?
        end
      end

      private

      def run
        @lock.synchronize { @woken = true } # what was asked before somebody listened went by unheard
        due = Clock.now + every
        until (writers = wait(due)).empty?
          watch ||= listen
          renews = Clock.now >= due
          ask(writers, renews)
          due = Clock.now + every if renews
          sleep(LOOK)
        end
      ensure
        watch&.close
      end

      # Tried again in the next round where the store is away.
      def listen
        protect { @store.watch { |keys| wake(keys) } }
      end

      def every = @lease / 6.0

      # What this process's own appends wake for asks nothing of its writers.
      def wake(keys)
        return if Committer.here?

        @lock.synchronize do
          next unless keys.nil? || keys.any? { |key| @writers.key?(key) }

          @woken = true
          @changed.signal
        end
      end

      # The writers, once it is time or somebody may have asked something of one; none, and then this thread is nobody's.
      def wait(due)
        @lock.synchronize do
          @changed.wait(@lock, [due - Clock.now, 0].max) until @woken || @writers.empty? || Clock.now >= due
          @woken = false
          @thread = nil if @writers.empty?
          @writers.values
        end
      end

      def ask(writers, renews)
        protect do
          sent = Clock.now
          epochs = writers.to_h { |writer| [writer.key, writer.epoch] }
          heads = renews ? @store.renew(epochs, owner: @owner, lease: @lease) : @store.heads(epochs.keys)
          writers.each { |writer| writer.renewed(heads[writer.key], renews ? sent : nil) }
        end
      ensure
        writers.each { |writer| writer.look_at_lease(Clock.now) }
      end
    end
  end
end
