# frozen_string_literal: true

require_relative "subscription"
require_relative "watch"

module Streamer
  module Stores
    class Redis
      # Everybody in this process who wants to be told, on one subscription: it begins with the first of them and ends with the last.
      class Listener # :nodoc:
        def initialize(server, channel)
          @server = server
          @channel = channel
          @lock = Mutex.new
          @watches = []
        end

        # A Watch; what is published from then on gets to it. Where the server cannot be reached it is told to look once that is over.
        def watch(callback)
          watch = Watch.new(self, callback)
          subscription = @lock.synchronize do
            begin_anew unless @pid == Process.pid
            @watches += [watch]
            @subscription ||= Subscription.new(@server, @channel) { |keys| tell(keys) }
          end
          subscription.wait
          watch
        end

        def unwatch(watch)
          ended = @lock.synchronize do
            @watches -= [watch]
            @subscription.tap { @subscription = nil } if @watches.empty? && @pid == Process.pid
          end
          ended&.stop
        end

        def subscribed? = @subscription&.subscribed? == true

        private

        # In a forked child: the thread and those who wait are the parent's.
        def begin_anew
          @pid = Process.pid
          @watches = []
          @subscription = nil
        end

        def tell(keys)
          @watches.each { |watch| watch.call(keys) }
        end
      end
    end
  end
end
