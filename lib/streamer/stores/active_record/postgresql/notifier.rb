# frozen_string_literal: true

require "set"

module Streamer
  module Stores
    class ActiveRecord
      class PostgreSQL
        # Tells other processes, at once where it is quiet, and of all that comes within PACE together: a transaction that notifies takes a lock
        # that the whole server has only once, so it is never one that appends. (It writes no WAL, so PostgreSQL does not wait for the disk.)
        class Notifier # :nodoc:
          # Seconds between notifications.
          PACE = 0.02

          # Seconds without any after which the thread ends.
          IDLE = 5

          def initialize(store, payload)
            @store = store
            @payload = payload
            @lock = Mutex.new
            @pushed = ConditionVariable.new
            @keys = Set.new
          end

          def push(keys)
            @lock.synchronize do
              @keys.clear unless @pid == Process.pid
              @keys.merge(keys)
              start unless @thread&.alive? && @pid == Process.pid
              @pushed.signal
            end
          end

          private

          def start
            at_exit { flush } unless @pid == Process.pid
            @pid = Process.pid
            @thread = Thread.new { run }
            @thread.name = "streamer PostgreSQL notifier"
            @thread.report_on_exception = false
          end

          def run
            while (keys = take)
              send(keys)
              sleep(PACE)
            end
          end

          # A process that ends as soon as it has closed its log tells that, too.
          def flush
            return unless @pid == Process.pid

            keys = @lock.synchronize { @keys.to_a.tap { @keys.clear } }
            send(keys) unless keys.empty?
          end

          # nil when there have been none for a while: whoever comes then starts another thread.
          def take
            @lock.synchronize do
              @pushed.wait(@lock, IDLE) if @keys.empty?
              next @thread = nil if @keys.empty?

              @keys.to_a.tap { @keys.clear }
            end
          end

          # What is lost is found by the readers' own looks.
          def send(keys)
            payloads = @payload.pack(keys)
            @store.connections.own(quiet: true) { |connection| @store.adapter.notify(connection, payloads) }
          rescue StoreUnavailableError
            nil
          rescue StandardError => error
            Streamer.report(error)
          end
        end
      end
    end
  end
end
