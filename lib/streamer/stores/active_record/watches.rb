# frozen_string_literal: true

module Streamer
  module Stores
    class ActiveRecord
      # Who wants to be told in this process. The database is watched for as long as there is one; a forked child begins without.
      class Watches # :nodoc:
        # Somebody who wants to be told.
        class Watch
          # The seconds after which its owner looks without having been told.
          def interval = @adapter.interval

          def initialize(watches, adapter, block)
            @watches = watches
            @adapter = adapter
            @block = block
          end

          def call(keys) = @block.call(keys)

          def close = @watches.remove(self, @adapter)
        end

        def initialize
          @lock = Mutex.new
          @watches = []
          @pid = Process.pid
        end

        def add(adapter, block)
          watch = Watch.new(self, adapter, block)
          @lock.synchronize do
            renew_after_fork
            @watches += [watch]
            adapter.observe
          end
          watch
        end

        def remove(watch, adapter)
          @lock.synchronize do
            renew_after_fork
            @watches -= [watch]
            adapter.look_away if @watches.empty?
          end
          nil
        end

        # keys: those that may have news; nil for any. An error of one watch is none of the others.
        def call(keys)
          return if @pid != Process.pid

          @watches.each do |watch|
            watch.call(keys)
          rescue StandardError => error
            Streamer.report(error)
          end
        end

        def any? = @pid == Process.pid && @watches.any?

        private

        def renew_after_fork
          return if @pid == Process.pid

          @pid = Process.pid
          @watches = []
        end
      end
    end
  end
end
