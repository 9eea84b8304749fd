# frozen_string_literal: true

module Streamer
  module Stores
    # Who wants to be told in this process. What they hear of is observed for as long as there is one; a forked child begins without.
    class Watches # :nodoc:
      # What whoever watches a store hears of, unless it is something else: what this process says, with no need to observe it.
      module Here # :nodoc:
        def self.interval = 1.0

        def self.observe; end

        def self.look_away; end
      end

      # Somebody who wants to be told.
      class Watch # :nodoc:
        # The seconds after which its owner looks without having been told.
        def interval = @source.interval

        def initialize(watches, source, block)
          @watches = watches
          @source = source
          @block = block
        end

        def call(keys) = @block.call(keys)

        def close = @watches.remove(self, @source)
      end

      def initialize
        @lock = Mutex.new
        @watches = []
        @pid = Process.pid
      end

      # source: what has `interval`, `observe` and `look_away`; the latter two are called under a lock, and do not wait.
      def add(block, source = Here)
        watch = Watch.new(self, source, block)
        @lock.synchronize do
          renew_after_fork
          @watches += [watch]
          source.observe
        end
        watch
      end

      def remove(watch, source)
        @lock.synchronize do
          renew_after_fork
          @watches -= [watch]
          source.look_away if @watches.empty?
        end
        nil
      end

      # keys: those that may have news; nil for any. An error of one watch is none of the others.
      def call(keys)
        return if @pid != Process.pid

        @watches.each { |watch| Streamer.guard { watch.call(keys) } }
      end

      private

      def renew_after_fork
        return if @pid == Process.pid

        @pid = Process.pid
        @watches = []
      end
    end
  end
end
