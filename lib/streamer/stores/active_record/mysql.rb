# frozen_string_literal: true

module Streamer
  module Stores
    class ActiveRecord
      # MySQL and MariaDB have no statement that says which rows it changed: the logs' rows are locked first, always in the order of their
      # keys, and compared under that lock, which sees what is committed whatever the isolation. They tell of nothing, so news is polled for.
      class MySQL < Adapter # :nodoc:
        # Seconds between looks for news: while there are any, and at most.
        POLLING = (0.05..0.25)

        # Statements with values in them, in bytes: far below max_allowed_packet, whose least default is 1 MiB on old servers.
        PACKET = 512 * 1024

        # Logs in one statement of a read, each with its own range.
        RANGES = 100

        # An order of locking that no optimizer changes.
        BY_KEY = "FORCE INDEX (index_streamer_logs_on_key)"

        # Microseconds when the statement began. No time zone is in it, so no clock is put back.
        NOW = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"

        COMPARED = "l.key, l.state, l.epoch, l.sequence, l.stop_epoch"
        BATCHES = "INSERT INTO streamer_log_batches (log_id, position, first_sequence, state, frames) VALUES "
        PIECES = "INSERT INTO streamer_log_pieces (log_id, position, text, events) VALUES "
        private_constant :BY_KEY, :NOW, :COMPARED, :BATCHES, :PIECES

        def initialize(store)
          super
          @poller = Poller.new(store, POLLING)
        end

        def name = :mysql

        def interval = POLLING.end

        def observe = @poller.start

        def look_away = @poller.stop

        # A duplicate is an error here that leaves the transaction as it was; to ignore it would ignore others as well.
        def create(connection, key)
          id = new_id(connection)
          change(connection, "Create", "INSERT INTO streamer_logs (#{"id, " if id}`key`, created_at) VALUES (#{":id, " if id}:key, #{NOW})",
                 id: id, key: key)
          true
        rescue ::ActiveRecord::RecordNotUnique
          false
        end

        def append(connection, shipment)
          transaction(connection) do
            ids = lock(connection, shipment)
            next [] if ids.empty?

            fitting = shipment.only(ids.keys)
            change(connection, "Append", set(connection, fitting, ids))
            insert(connection, BATCHES, fitting.appends.map { |append| batch_row(connection, ids, append) })
            insert(connection, PIECES, fitting.appends.select(&:piece).map { |append| piece_row(connection, ids, append) })
            ids.keys
          end
        end

        def renew(connection, epochs, owner:, lease:)
          pairs = epochs.map { |key, epoch| "(#{connection.quote(key)}, #{Integer(epoch)})" }.join(", ")
          change(connection, "Renew", "UPDATE streamer_logs AS l #{BY_KEY} SET lease_until = #{NOW} + :lease WHERE l.key IN (:keys) " \
                                      "AND l.state IS NULL AND l.owner = :owner AND (l.key, l.epoch) IN (#{pairs})",
                 keys: epochs.keys, lease: microseconds(lease), owner: owner)
        end

        # First which of them have anything, then a range of the index for each of those.
        def read(connection, positions, limit)
          sql = "SELECT l.key, l.id, l.epoch * #{EPOCH} + l.sequence FROM streamer_logs l WHERE l.key IN (:keys)"
          news = select(connection, "Read", sql, keys: positions.keys).select { |key, _, last| last > positions[key].to_i }
          news.each_slice(RANGES).with_object({}) do |slice, found|
            ranges = slice.map { |key, id,| range(connection, key, id, positions[key].to_i, limit) }
            found.merge!(batches(query(connection, "Read", ranges.join(" UNION ALL "))))
          end
        end

        private

        def now = NOW

        # key => id of those that fit.
        def lock(connection, shipment)
          rows = select(connection, "Append", "SELECT #{COMPARED}, l.id FROM streamer_logs l #{BY_KEY} WHERE l.key IN (:keys) ORDER BY l.key " \
                                              "FOR UPDATE", keys: shipment.keys).to_h { |row| [row.first, row] }
          shipment.appends.filter_map do |append|
            key, state, epoch, sequence, stop_epoch, id = rows[append.key]
            next unless key

            head = Log::Head.new(key: key, state: state, epoch: epoch, sequence: sequence, stop_epoch: stop_epoch)
            [key, id] if append.fits?(head)
          end.to_h
        end

        def set(connection, shipment, ids)
          rows = shipment.heads.map do |key, _, _, last, state, size, compacted|
            values = [ids[key], last, size, state, compacted].map { |value| connection.quote(value) }
            "SELECT #{values.join(", ")}"
          end
          rows[0] = shipment.heads.first.then do |key, _, _, last, state, size, compacted|
            names = { id: ids[key], last: last, size: size, state: state, compacted: compacted }
            "SELECT #{names.map { |name, value| "#{connection.quote(value)} AS #{name}" }.join(", ")}"
          end
          "UPDATE (#{rows.join(" UNION ALL ")}) AS a STRAIGHT_JOIN streamer_logs AS l FORCE INDEX (PRIMARY) ON l.id = a.id " \
            "SET l.sequence = a.last, l.bytes = l.bytes + a.size, l.compacted = COALESCE(a.compacted, l.compacted), l.state = a.state, " \
            "l.owner = CASE WHEN a.state IS NULL THEN l.owner END, l.lease_until = CASE WHEN a.state IS NULL THEN l.lease_until END, " \
            "l.retained_since = CASE WHEN a.state IS NOT NULL THEN #{NOW} END"
        end

        # rows: Strings of values. In as many statements as packets take.
        def insert(connection, sql, rows)
          size = 0
          rows.slice_when { |row, _| (size += row.bytesize) > PACKET && (size = 0) }.each do |slice|
            change(connection, "Append", sql + slice.join(", "))
          end
        end

        def batch_row(connection, ids, append)
          row(connection, ids[append.key], append.position.to_i, append.first, append.state, binary(append.frames))
        end

        def piece_row(connection, ids, append)
          piece = append.piece
          row(connection, ids[append.key], piece.through.to_i, binary(piece.text), binary(piece.events))
        end

        def row(connection, *values) = "(#{values.map { |value| connection.quote(value) }.join(", ")})"

        def range(connection, key, id, after, limit)
          "(SELECT #{connection.quote(key)}, b.position, b.first_sequence, b.state, b.frames FROM streamer_log_batches b " \
            "WHERE b.log_id = #{connection.quote(id)} AND b.position > #{after} ORDER BY b.position LIMIT #{Integer(limit)})"
        end

        # A subquery of the same table is not allowed; a limit is.
        def delete_rows(connection, table, condition, **values)
          sql = "DELETE FROM #{table} WHERE #{condition} ORDER BY log_id, position LIMIT #{PORTION}"
          nil until change(connection, "Delete", sql, **values) < PORTION
        end
      end
    end
  end
end
