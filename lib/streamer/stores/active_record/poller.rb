# frozen_string_literal: true

module Streamer
  module Stores
    class ActiveRecord
      # Looks for news where the database tells of none: often while there are any, and seldom while there are not. Ids of batches do not grow in
      # the order of commits, so it looks back a little; what even so comes too late is found by the readers' own looks.
      class Poller # :nodoc:
        # Looks that it goes back.
        BACK = 3

        # How much longer the pause becomes with each look that finds nothing.
        GROWTH = 1.25

        # Seconds between looks while the database is away.
        RETRY = 1.0

        # Keys that are named; more are any.
        MAX_KEYS = 5_000

        # pauses: a range of seconds.
        def initialize(store, pauses)
          @store = store
          @pauses = pauses
        end

        def start
          return if @thread&.alive?

          @stopped = stopped = Thread::Queue.new
          @thread = Thread.new { run(stopped) }
          @thread.name = "streamer poller"
          @thread.report_on_exception = false
        end

        def stop
          @stopped&.close
          @thread = nil
        end

        private

        # stopped: closed when it is to end.
        def run(stopped)
          pause = @pauses.begin
          look = Look.new(@store.adapter)
          until stopped.closed?
            begin
              pause = tell(look) ? @pauses.begin : [pause * GROWTH, @pauses.end].min
              sleep(pause)
            rescue LogError
              sleep(RETRY)
            end
          end
        rescue StandardError => error
          Streamer.report(error)
        end

        def tell(look)
          keys = @store.connections.own(quiet: true) { |connection| look.call(connection) }
          return false if keys == []

          @store.watches.call(keys.nil? || keys.size > MAX_KEYS ? nil : keys)
          true
        end

        # What one poller has seen.
        class Look # :nodoc:
          def initialize(adapter)
            @adapter = adapter
            @seen = [] # the newest ids of the last looks
            @stopping = []
          end

          # Keys with news, nil for any.
          def call(connection)
            last = @adapter.last_batch(connection)
            stopping = @adapter.stopping(connection)
            news = @seen.empty? ? nil : written(connection, last)
            stops, @stopping = stopping - @stopping, stopping
            @seen = [*@seen, last].last(BACK)
            news && (news | stops)
          end

          private

          # The newest may have been deleted.
          def written(connection, last) = last == @seen.last ? [] : @adapter.written_since(connection, [*@seen, last].min)
        end
        private_constant :Look
      end
    end
  end
end
