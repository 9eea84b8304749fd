# frozen_string_literal: true

module Streamer
  class Relay
    # The one Ruby thread that takes entries to their logs' writers. Nobody's code runs in it and it never waits for a store, so that no token
    # waits for a callback or for another log.
    #
    # It starts with the first relay into a log, and again in a forked child.
    module Carrier # :nodoc:
      @lock = Mutex.new
      @pid = nil

      class << self
        # Calls the stream's store from now on, when entries of this relay wait.
        def follow(relay, stream)
          @lock.synchronize do
            revive unless @pid == Process.pid && @thread.alive?
            @streams[relay.id] = stream
          end
        end

        def leave(relay)
          @lock.synchronize { @streams.delete(relay.id) if @pid == Process.pid }
        end

        private

        def revive
          @streams = {} unless @pid == Process.pid
          @pid = Process.pid
          @thread = Thread.new { run }.tap { |thread| thread.name = "streamer-entries" }
        end

        def run
          loop do
            id = Relay.await_entries(nil) or next
            carry(@lock.synchronize { @streams[id] })
          end
        end

        # Nothing may end the thread: all other logs need it.
        def carry(stream)
          stream&.store
        rescue Exception => error
          Streamer.report(error)
        end
      end
    end
  end
end
