# frozen_string_literal: true

module Streamer
  module Controller
    # The sinks of the stream_events blocks that run in this process.
    module OpenStreams # :nodoc:
      @lock = Mutex.new
      @sinks = {}.compare_by_identity

      class << self
        # One that runs while the block does; returns the block's value.
        def hold(sink)
          @lock.synchronize { @sinks[sink] = Thread.current }
          yield
        ensure
          @lock.synchronize { @sinks.delete(sink) }
        end

        # As if every browser had left: a block's next write raises BrowserDisconnectedError.
        def close = @lock.synchronize { @sinks.keys }.each(&:close)

        # The threads that blocks run in.
        def threads = @lock.synchronize { @sinks.values }
      end
    end
  end
end
