# frozen_string_literal: true

require_relative "subscription"

module Streamer
  module Stores
    class Redis
      # Everybody in this process who wants to be told, on one subscription: it begins with the first of them and ends with the last.
      class Listener # :nodoc:
        # Seconds between looks while messages come, which may be lost; and while none can come.
        INTERVAL = 1.0
        BLIND = 0.25
        private_constant :INTERVAL, :BLIND

        def initialize(server, channel)
          @server = server
          @channel = channel
          @watches = Watches.new
        end

        # Somebody's watch; what is published from then on gets to it. Where the server cannot be reached it is told to look once that is over.
        def watch(callback)
          watch = @watches.add(callback, self)
          @subscription&.wait
          watch
        end

        def interval = subscribed? ? INTERVAL : BLIND

        # In a forked child the subscription, and its thread, is the parent's.
        def observe
          return if @subscription && @pid == Process.pid

          @pid = Process.pid
          @subscription = Subscription.new(@server, @channel) { |keys| @watches.call(keys) }
        end

        def look_away
          @subscription&.stop if @pid == Process.pid
          @subscription = nil
        end

        def subscribed? = @subscription&.subscribed? == true
      end
    end
  end
end
