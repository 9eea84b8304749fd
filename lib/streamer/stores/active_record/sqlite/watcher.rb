# frozen_string_literal: true

module Streamer
  module Stores
    class ActiveRecord
      class SQLite
        # One thread for a process and a database file, for as long as somebody watches: asks on a connection of its own whether another one
        # has written, which costs some microseconds, and if so, which logs have new batches or are to stop. There is one writer, so ids
        # grow in the order of commits: what is new is what is behind the last id seen.
        class Watcher # :nodoc:
          # Seconds between two questions; and after CALM seconds in which nothing happened.
          PERIOD = 0.005
          IDLE_PERIOD = 0.02
          CALM = 1.0

          # Seconds between looks whether the file is still the same, and between attempts to open it.
          RETRY = 1.0

          # Keys that are named; more are any.
          MAX_KEYS = 5_000

          NEWS = "SELECT l.key, MAX(b.id) FROM streamer_log_batches b CROSS JOIN streamer_logs l ON l.id = b.log_id WHERE b.id > ? GROUP BY l.id"
          STOPS = "SELECT key FROM streamer_logs WHERE state IS NULL AND stop_epoch > 0"
          LAST = "SELECT COALESCE(MAX(id), 0) FROM streamer_log_batches"

          # Open connections of the process: a forked child closes them, since SQLite takes locks that the parent has for the child's own.
          OPEN = ObjectSpace::WeakMap.new
          private_constant :OPEN

          ActiveSupport::ForkTracker.after_fork do
            OPEN.each_value { |database| database.close unless database.closed? }
          end

          def initialize(store)
            @store = store
          end

          def start
            return if @thread&.alive?

            former = @former
            @stopped = stopped = Thread::Queue.new
            @thread = Thread.new do
              former&.join
              run(stopped)
            end
            @thread.name = "streamer SQLite watcher"
            @thread.report_on_exception = false
          end

          def stop
            @stopped&.close
            @former = @thread
            @thread = nil
          end

          private

          # stopped: closed when it is to end.
          def run(stopped)
            until stopped.closed?
              begin
                watch(stopped)
              rescue StandardError => error
                # The file is away, locked or being replaced, or there are no tables yet: nothing that a look by the reader would not tell.
                Streamer.report(error) unless error.is_a?(::SQLite3::Exception) || error.is_a?(LogError) || error.is_a?(SystemCallError)
                pause(RETRY, stopped)
              end
            end
          end

          def watch(stopped)
            path = @store.connections.own(quiet: true) { |connection| path_of(connection) } or return stopped.pop
            database = ::SQLite3::Database.new(path, readonly: true)
            OPEN[database] = database
            question = database.prepare("PRAGMA data_version")
            begin
              follow(database, question, path, stopped)
            ensure
              question.close unless question.closed?
              database.close unless database.closed?
            end
          end

          def path_of(connection)
            connection.select_rows("PRAGMA database_list").find { |_, name,| name == "main" }&.last.presence
          end

          def follow(database, question, path, stopped)
            file = File.stat(path).ino
            version = ask(question)
            begin_with(database)
            changed = checked = Clock.now
            until stopped.closed?
              now = Clock.now
              if version != (version = ask(question))
                changed = now
                look(database)
              elsif now - checked > RETRY
                return unless File.stat(path).ino == file

                checked = now
              end
              pause(now - changed < CALM ? PERIOD : IDLE_PERIOD, stopped)
            end
          end

          def ask(question)
            question.reset!
            question.step.first
          end

          # Whatever came before is for the reader to find.
          def begin_with(database)
            @seen = database.get_first_value(LAST)
            @stopping = []
            @store.watches.call(nil)
          end

          def look(database)
            news = database.execute(NEWS, [@seen])
            return begin_with(database) if news.empty? && database.get_first_value(LAST) < @seen # restored from a copy

            @seen = [@seen, *news.map(&:last)].max
            stopping = database.execute(STOPS).flatten
            keys = news.map(&:first) | (stopping - @stopping)
            @stopping = stopping
            @store.watches.call(keys.size > MAX_KEYS ? nil : keys) unless keys.empty?
          end

          # A closed queue would end it at once; before Ruby 3.2 it takes no timeout.
          def pause(seconds, stopped)
            sleep(seconds) unless stopped.closed?
          end
        end
      end
    end
  end
end
