# frozen_string_literal: true

module Streamer
  module Stores
    class ActiveRecord
      # SQLite has one writer at a time, and needs a write to be a transaction's first statement: then it waits for the lock before it looks
      # (BEGIN IMMEDIATE in effect, also where Rails begins deferred). Rows travel as JSON, bytes beside it.
      class SQLite < Adapter # :nodoc:
        autoload :Watcher, "streamer/stores/active_record/sqlite/watcher"

        # Milliseconds.
        TIMEOUT = 5_000

        RAILS_LETS_OTHERS_RUN = ::ActiveRecord.gem_version >= Gem::Version.new("8.0")

        # (No byte at all is NULL to SQLite's gem.)
        #
        # An index is written for each of its columns that is assigned, whether or not it changes: so only closing assigns them.
        FITTING = <<~SQL.tr("\n", " ")
          FROM (SELECT value ->> 0 AS key, value ->> 1 AS epoch, value ->> 2 AS after, value ->> 3 AS last, value ->> 4 AS state,
          value ->> 5 AS size, value ->> 6 AS compacted FROM json_each(?1)) AS a
          WHERE l.key = a.key AND l.epoch = a.epoch AND l.sequence = a.after AND +l.state IS NULL
        SQL
        EXTEND = "UPDATE streamer_logs AS l SET sequence = a.last, bytes = l.bytes + a.size, " \
                 "compacted = COALESCE(a.compacted, l.compacted) #{FITTING} AND l.stop_epoch < a.epoch RETURNING key".freeze
        CLOSE = "UPDATE streamer_logs AS l SET sequence = a.last, bytes = l.bytes + a.size, " \
                "compacted = COALESCE(a.compacted, l.compacted), state = a.state, owner = NULL, lease_until = NULL, " \
                "retained_since = %<now>s #{FITTING} RETURNING key".freeze
        BATCHES = <<~SQL.tr("\n", " ")
          INSERT INTO streamer_log_batches (log_id, position, first_sequence, state, frames)
          SELECT l.id, value ->> 1, value ->> 2, value ->> 3, COALESCE(substr(?2, 1 + (value ->> 4), value ->> 5), x'')
          FROM json_each(?1) CROSS JOIN streamer_logs l WHERE l.key = value ->> 0
        SQL
        PIECES = <<~SQL.tr("\n", " ")
          INSERT INTO streamer_log_pieces (log_id, position, text, events)
          SELECT l.id, value ->> 1, COALESCE(substr(?2, 1 + (value ->> 2), value ->> 3), x''),
          COALESCE(substr(?2, 1 + (value ->> 4), value ->> 5), x'')
          FROM json_each(?1) CROSS JOIN streamer_logs l WHERE l.key = value ->> 0
        SQL
        RENEW = <<~SQL.tr("\n", " ")
          UPDATE streamer_logs AS l SET lease_until = %<now>s + ?2 FROM (SELECT value ->> 0 AS key, value ->> 1 AS epoch FROM json_each(?1)) AS a
          WHERE l.key = a.key AND l.epoch = a.epoch AND l.owner = ?3 AND +l.state IS NULL
        SQL
        # The head says whether there is anything; most logs of a look have nothing new.
        READ = <<~SQL.tr("\n", " ")
          SELECT l.key, b.position, b.first_sequence, b.state, b.frames
          FROM (SELECT value ->> 0 AS key, value ->> 1 AS after FROM json_each(?1)) AS k
          CROSS JOIN streamer_logs l ON l.key = k.key AND l.epoch * 4294967296 + l.sequence > k.after
          CROSS JOIN streamer_log_batches b ON b.log_id = l.id AND b.position > k.after AND b.position <= COALESCE(
          (SELECT o.position FROM streamer_log_batches o WHERE o.log_id = l.id AND o.position > k.after
          ORDER BY o.position LIMIT 1 OFFSET ?2), 9223372036854775807) ORDER BY l.id, b.position
        SQL
        private_constant :RAILS_LETS_OTHERS_RUN, :FITTING, :EXTEND, :CLOSE, :BATCHES, :PIECES, :RENEW, :READ

        def initialize(store)
          super
          @watcher = Watcher.new(store)
        end

        def name = :sqlite

        # SQLite would let a second connection of the caller's wait for the caller's own transaction.
        def check_transaction(method)
          return unless @store.connections.transaction?

          raise OpenTransactionError.new("a log's #{method}", "which has the only lock for writing that the SQLite database of the logs has")
        end

        def append(connection, shipment)
          transaction(connection) do
            keys = compare_and_set(connection, shipment.heads)
            next keys if keys.empty?

            stored = shipment.only(keys)
            ship(connection, BATCHES, stored.batches)
            ship(connection, PIECES, stored.pieces) if stored.pieces?
            keys
          end
        end

        def read(connection, positions, limit)
          rows = positions.map { |key, position| [key, position.to_i] }
          batches(query(connection, "Read", READ, [JSON.generate(rows), limit - 1]))
        end

        def renew(connection, epochs, owner:, lease:)
          rows = JSON.generate(epochs.to_a)
          query(connection, "Renew", format(RENEW, now: now), [rows, microseconds(lease), owner])
        end

        PREPARED = ObjectSpace::WeakMap.new
        private_constant :PREPARED

        # Has a connection wait for the lock for at least TIMEOUT, and let other threads run meanwhile: before Rails 8 the adapter's waiting stops
        # them all, and with them whoever has the lock.
        def self.wait_for_lock(connection)
          raw = connection.send(:with_raw_connection, materialize_transactions: false) { |database| database }
          return if PREPARED[raw]

          PREPARED[raw] = true
          options = connection.pool.db_config.configuration_hash
          timeout = options[:timeout].to_i
          raw.busy_handler_timeout = [timeout, TIMEOUT].max unless options[:retries] || (timeout >= TIMEOUT && RAILS_LETS_OTHERS_RUN)
        end

        def prepare(connection)
          SQLite.wait_for_lock(connection)
          advise(connection)
        end

        def observe = @watcher.start

        def look_away = @watcher.stop

        private

        # Of milliseconds: SQLite's clock has no finer ones.
        def now = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000"

        # In any other mode a reader stops the writer and the writer all readers.
        def advise(connection)
          return if @advised

          @advised = true
          mode = connection.select_value("PRAGMA journal_mode")
          return if %w[wal memory].include?(mode)

          ::ActiveRecord::Base.logger&.warn("streamer: the logs' SQLite database is in journal mode #{mode}, in which readers and the writer " \
                                            "wait for each other: use WAL (pragmas: { journal_mode: wal } in config/database.yml)")
        end

        # The keys of those that fit.
        def compare_and_set(connection, heads)
          closing, extending = heads.partition { |head| head[4] }
          [[closing, format(CLOSE, now: now)], [extending, EXTEND]].flat_map do |rows, sql|
            rows.empty? ? [] : query(connection, "Append", sql, [JSON.generate(rows)]).flatten
          end
        end

        def ship(connection, sql, (rows, bytes))
          query(connection, "Append", sql, [JSON.generate(rows), binary(bytes)])
        end
      end
    end
  end
end
