# frozen_string_literal: true

require "securerandom"

module Streamer
  module Stores
    class ActiveRecord
      # What the databases have in common: the statements of three tables. Subclasses know how many rows go into one statement, what the time
      # is, and how other processes hear of news. Each method gets the connection that it uses; the times are the database's own, as
      # microseconds since 1970 in a BIGINT, which no time zone and no adapter's conversion can touch.
      #
      # A log's row is locked first and its batches are written under that lock, so the batches that a reader sees are always a beginning
      # of the log, whatever the order in which transactions commit.
      class Adapter # :nodoc:
        HEAD = "l.key, l.state, l.epoch, l.sequence, l.text_epoch, l.pruned, l.compacted, l.stop_epoch, l.owner, l.interrupted, l.bytes, " \
               "l.created_at"
        EPOCH = 1 << 32 # of a position

        # Rows that are deleted at once: others wait for as long as that takes.
        PORTION = 1000

        # Seconds between looks of a reader that is told of news.
        INTERVAL = 1.0

        def initialize(store)
          @store = store
        end

        # The seconds after which readers look without having been told.
        def interval = INTERVAL

        # Tells other processes.
        def announce(_keys) = nil

        # Somebody in this process wants to be told; nobody does any more.
        def observe = nil

        def look_away = nil

        # Before a connection is used.
        def prepare(_connection) = nil

        # Raises where a caller's open transaction would make the call wait for itself.
        def check_transaction(_method) = nil

        def create(connection, key)
          id = new_id(connection)
          sql = "INSERT INTO streamer_logs (#{"id, " if id}#{connection.quote_column_name("key")}, created_at) " \
                "VALUES (#{":id, " if id}:key, #{now}) ON CONFLICT DO NOTHING"
          change(connection, "Create", sql, id: id, key: key) == 1
        end

        def heads(connection, keys)
          rows = select(connection, "Heads", "SELECT #{HEAD}, #{leased} FROM streamer_logs l WHERE l.key IN (:keys)", keys: keys)
          rows.to_h { |row| [row.first, head(row)] }
        end

        def claim(connection, key, owner:, lease:, mode:)
          transaction(connection) do
            next unless change(connection, "Claim", claim_sql, key: key, owner: owner, lease: microseconds(lease), mode: mode) == 1

            *row, id = select(connection, "Claim", "SELECT #{HEAD}, 1, l.id FROM streamer_logs l WHERE l.key = :key", key: key).first
            begin_attempt(connection, id, head(row))
          end
        end

        def renew(connection, epochs, owner:, lease:)
          fits = epochs.map { |key, epoch| "(l.key = #{connection.quote(key)} AND l.epoch = #{Integer(epoch)})" }.join(" OR ")
          change(connection, "Renew", "UPDATE streamer_logs AS l SET lease_until = #{now} + :lease WHERE l.state IS NULL AND l.owner = :owner " \
                                      "AND (#{fits})", owner: owner, lease: microseconds(lease))
        end

        def release(connection, key, epoch:, owner:)
          change(connection, "Release", "UPDATE streamer_logs AS l SET owner = NULL, lease_until = NULL WHERE l.key = :key AND l.state IS NULL " \
                                        "AND l.epoch = :epoch AND l.owner = :owner", key: key, epoch: epoch, owner: owner)
        end

        def stop(connection, key, epoch:)
          change(connection, "Stop", "UPDATE streamer_logs AS l SET stop_epoch = :epoch WHERE l.key = :key AND l.state IS NULL " \
                                     "AND l.epoch = :epoch", key: key, epoch: epoch)
        end

        def text(connection, key)
          sql = "SELECT p.position, p.text, p.events FROM streamer_log_pieces p JOIN streamer_logs l ON l.id = p.log_id " \
                "WHERE l.key = :key AND p.position >= l.text_epoch * #{EPOCH} ORDER BY p.position"
          select(connection, "Text", sql, key: key).map do |position, text, events|
            Log::Piece.new(through: Log::Position.from(position), text: text, events: events)
          end
        end

        def overdue(connection, limit)
          sql = "SELECT l.key FROM streamer_logs l WHERE l.lease_until <= #{now} ORDER BY l.lease_until LIMIT :limit"
          select(connection, "Overdue", sql, limit: limit).flatten
        end

        def expired(connection, age, limit)
          sql = "SELECT l.key FROM streamer_logs l WHERE l.retained_since <= #{now} - :age ORDER BY l.retained_since LIMIT :limit"
          select(connection, "Expired", sql, age: microseconds(age), limit: limit).flatten
        end

        # First what readers go by, then the rows, portion by portion.
        def prune(connection, key, through)
          id, compacted = select(connection, "Prune", "SELECT l.id, l.compacted FROM streamer_logs l WHERE l.key = :key", key: key).first
          return unless id

          gone = "log_id = :id AND state IS NULL AND position <= :last"
          limit = [through.to_i, compacted].min
          last = select(connection, "Prune", "SELECT MAX(position) FROM streamer_log_batches WHERE #{gone}", id: id, last: limit).first.first
          if last
            change(connection, "Prune", "UPDATE streamer_logs SET pruned = :last WHERE id = :id AND pruned < :last", id: id, last: last)
            delete_rows(connection, "streamer_log_batches", gone, id: id, last: last)
          end
          forget_expiry(connection, id)
          heads(connection, [key])[key]
        end

        # The batches of many logs go portion by portion; the log's row goes with the rest of them, so that nothing stays behind.
        def delete(connection, keys)
          ids = select(connection, "Delete", "SELECT l.id FROM streamer_logs l WHERE l.key IN (:keys) ORDER BY l.key", keys: keys).flatten
          return if ids.empty?

          %w[streamer_log_batches streamer_log_pieces].each { |table| delete_rows(connection, table, "log_id IN (:ids)", ids: ids) }
          transaction(connection) do
            change(connection, "Delete", "DELETE FROM streamer_logs WHERE id IN (:ids)", ids: ids)
            %w[streamer_log_batches streamer_log_pieces].each do |table|
              change(connection, "Delete", "DELETE FROM #{table} WHERE log_id IN (:ids)", ids: ids)
            end
          end
        end

        # For a Poller: the newest batch's id, keys of the logs with newer ones than that, keys of open logs that somebody has asked to stop.
        def last_batch(connection) = select(connection, "Watch", "SELECT COALESCE(MAX(id), 0) FROM streamer_log_batches").first.first

        def written_since(connection, id)
          sql = "SELECT DISTINCT l.key FROM streamer_log_batches b JOIN streamer_logs l ON l.id = b.log_id WHERE b.id > :id"
          select(connection, "Watch", sql, id: id).flatten
        end

        def stopping(connection)
          select(connection, "Watch", "SELECT l.key FROM streamer_logs l WHERE l.state IS NULL AND l.stop_epoch > 0").flatten
        end

        private

        def leased = "CASE WHEN l.lease_until > #{now} THEN 1 ELSE 0 END"

        # What is assigned uses what the row had: on MySQL an assignment sees those before it.
        def claim_sql
          "UPDATE streamer_logs AS l SET text_epoch = CASE WHEN l.epoch = 0 OR :mode = 'reset' THEN l.epoch + 1 ELSE l.text_epoch END, " \
            "interrupted = l.interrupted + CASE WHEN l.owner <> :owner THEN 1 ELSE 0 END, epoch = l.epoch + 1, owner = :owner, " \
            "lease_until = #{now} + :lease WHERE l.key = :key AND l.state IS NULL " \
            "AND (l.owner IS NULL OR l.owner = :owner OR l.lease_until <= #{now})"
        end

        # head: the row as the claim has left it, but for the sequence: that of the attempt before.
        def begin_attempt(connection, id, head)
          before = Log::Position.new(head.epoch - 1, head.sequence)
          frames = Log::Frames.attempt(head.epoch, head.text_epoch == head.epoch ? "reset" : "continue", before)
          change(connection, "Claim", "INSERT INTO streamer_log_batches (log_id, position, first_sequence, frames) " \
                                      "VALUES (:id, :position, 0, :frames)",
                 id: id, position: Log::Position.new(head.epoch, 0).to_i, frames: binary(frames))
          change(connection, "Claim", "UPDATE streamer_logs SET sequence = 0, bytes = bytes + :bytes WHERE id = :id",
                 id: id, bytes: frames.bytesize)
          head.with(sequence: 0, bytes: head.bytes + frames.bytesize)
        end

        # A closed log whose entries are gone is not looked at again.
        def forget_expiry(connection, id)
          change(connection, "Prune", "UPDATE streamer_logs SET retained_since = NULL WHERE id = :id AND retained_since IS NOT NULL AND NOT " \
                                      "EXISTS (SELECT 1 FROM streamer_log_batches b WHERE b.log_id = :id AND b.state IS NULL)", id: id)
        end

        def delete_rows(connection, table, condition, **values)
          sql = "DELETE FROM #{table} WHERE id IN (SELECT id FROM #{table} WHERE #{condition} LIMIT #{PORTION})"
          nil until change(connection, "Delete", sql, **values) < PORTION
        end

        def head(row)
          key, state, epoch, sequence, text_epoch, pruned, compacted, stop_epoch, owner, interrupted, bytes, created_at, leased = row
          Log::Head.new(key: key, state: state, epoch: epoch, sequence: sequence, text_epoch: text_epoch,
                        pruned: Log::Position.from(pruned), compacted: Log::Position.from(compacted), stop_epoch: stop_epoch, owner: owner,
                        leased: leased == 1, interrupted: interrupted, bytes: bytes, created_at: Time.at(0, created_at, :microsecond))
        end

        def batch(position, first, state, frames)
          last = Log::Position.from(position)
          Log::Batch.new(first: Log::Position.new(last.epoch, first), last: last, frames: frames, state: state)
        end

        # rows: key, then what #batch takes.
        def batches(rows)
          rows.each_with_object({}) { |(key, *row), found| (found[key] ||= []) << batch(*row) }
        end

        # A key for the log's row where the database makes none: applications choose the type of their keys.
        def new_id(connection)
          if @gives_ids.nil?
            id = connection.columns("streamer_logs").find { |column| column.name == "id" }
            @gives_ids = id.type != :integer && id.default_function.nil?
          end
          SecureRandom.uuid if @gives_ids
        end

        def microseconds(seconds) = (seconds * 1_000_000).round

        def binary(bytes) = ActiveModel::Type::Binary::Data.new(bytes)

        def transaction(connection, &block) = connection.transaction(joinable: false, &block)

        # Rows, cast.
        def select(connection, name, sql, **values) = query(connection, name, fill(connection, sql, values))

        # The number of rows changed.
        def change(connection, name, sql, **values) = connection.update(fill(connection, sql, values), "Streamer #{name}")

        # Rows of a statement with parameters; where the application wants none to be prepared, with their values in it.
        def query(connection, name, sql, binds = [])
          sql, binds = inline(connection, sql, binds), [] unless binds.empty? || connection.prepared_statements
          result = connection.uncached(dirties: false) { connection.exec_query(sql, "Streamer #{name}", binds) }
          values = result.cast_values
          result.columns.one? ? values.zip : values
        end

        def inline(connection, sql, binds) = sql.gsub(/[?$](\d+)/) { connection.quote(binds[Regexp.last_match(1).to_i - 1]) }

        # With the values in the place of their names, quoted: whatever the application says of prepared statements, a pooler never sees one.
        def fill(connection, sql, values)
          return sql if values.empty?

          sql.gsub(/(?<![:\w]):([a-z]+)\b/) do
            value = values.fetch(Regexp.last_match(1).to_sym)
            value.is_a?(Array) ? value.map { |one| connection.quote(one) }.join(", ") : connection.quote(value)
          end
        end
      end
    end
  end
end
