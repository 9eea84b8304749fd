# frozen_string_literal: true

module Streamer
  module Stores
    class ActiveRecord
      # On PostgreSQL an append is one statement. Rows travel as arrays, one for each column, and bytes in one parameter beside them, so that
      # its text is always the same; rows are locked in the order of their ids before they are changed.
      class PostgreSQL < Adapter # :nodoc:
        autoload :Listener, "streamer/stores/active_record/postgresql/listener"
        autoload :Notifier, "streamer/stores/active_record/postgresql/notifier"
        autoload :Payload, "streamer/stores/active_record/postgresql/payload"

        # Of notifications, one for all logs of a database.
        CHANNEL = "streamer_log"

        # Seconds between looks for news where notifications do not arrive: while there are any, and at most.
        POLLING = (0.1..0.25)

        # The microseconds when the statement came, as the database's clock has them.
        NOW = "(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000)::bigint"

        # Epochs and sequences are compared by differences: all logs have the same few, and to the planner an equality is a way to join.
        LOCKED = "locked AS (SELECT id, key FROM streamer_logs WHERE key = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE)"
        APPEND = <<~SQL.tr("\n", " ").freeze
          WITH a AS (SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::int[], $5::text[], $6::int[], $7::bigint[], $8::bigint[], $9::int[])
          AS a (key, epoch, after, last, state, size, compacted, position, start)), #{LOCKED},
          stored AS (UPDATE streamer_logs AS l SET sequence = a.last, state = a.state, bytes = l.bytes + a.size,
          compacted = COALESCE(a.compacted, l.compacted), owner = CASE WHEN a.state IS NULL THEN l.owner END,
          lease_until = CASE WHEN a.state IS NULL THEN l.lease_until END, retained_since = CASE WHEN a.state IS NOT NULL THEN #{NOW} END
          FROM a JOIN locked ON locked.key = a.key
          WHERE l.id = locked.id AND l.epoch - a.epoch = 0 AND l.sequence - a.after = 0 AND COALESCE(l.state, '') = ''
          AND (a.state IS NOT NULL OR l.stop_epoch < a.epoch)
          RETURNING l.id, a.key, a.position, a.after, a.state, a.start, a.size),
          batches AS (INSERT INTO streamer_log_batches (log_id, position, first_sequence, state, frames)
          SELECT id, position, after + 1, state, substring($10::bytea FROM start + 1 FOR size) FROM stored),
          pieces AS (INSERT INTO streamer_log_pieces (log_id, position, text, events)
          SELECT s.id, p.position, substring($17::bytea FROM p.text_start + 1 FOR p.text_size),
          substring($17::bytea FROM p.events_start + 1 FOR p.events_size)
          FROM unnest($11::text[], $12::bigint[], $13::int[], $14::int[], $15::int[], $16::int[])
          AS p (key, position, text_start, text_size, events_start, events_size) JOIN stored s ON s.key = p.key)
          SELECT key FROM stored
        SQL
        RENEW = <<~SQL.tr("\n", " ").freeze
          WITH a AS (SELECT * FROM unnest($1::text[], $2::int[]) AS a (key, epoch)), #{LOCKED}
          UPDATE streamer_logs AS l SET lease_until = #{NOW} + $3::bigint FROM a JOIN locked ON locked.key = a.key
          WHERE l.id = locked.id AND l.epoch - a.epoch = 0 AND l.owner = $4::text AND COALESCE(l.state, '') = '' RETURNING l.key
        SQL
        # The head says whether there is anything; most logs of a look have nothing new.
        READ = <<~SQL.tr("\n", " ").freeze
          SELECT l.key, b.position, b.first_sequence, b.state, b.frames FROM unnest($1::text[], $2::bigint[]) AS k (key, after)
          JOIN streamer_logs l ON l.key = k.key AND l.epoch * 4294967296 + l.sequence > k.after
          CROSS JOIN LATERAL (SELECT * FROM streamer_log_batches b WHERE b.log_id = l.id AND b.position > k.after
          ORDER BY b.position LIMIT $3::int) AS b ORDER BY l.id, b.position
        SQL
        NOTIFY = "SELECT pg_notify($1::text, payload)::text FROM unnest($2::text[]) AS payload"
        private_constant :NOW, :LOCKED, :APPEND, :RENEW, :READ, :NOTIFY

        def initialize(store)
          super
          @payload = Payload.new
          @notifier = Notifier.new(store, @payload)
          @listener = Listener.new(store, @payload)
        end

        def name = :postgresql

        # Told, where notifications arrive.
        def interval = @listener.listening? ? INTERVAL : POLLING.end

        def append(connection, shipment)
          rows, bytes = shipment.batches
          binds = columns(shipment.heads, 7)
          binds << array(rows.map { |row| row[1] }) << array(rows.map { |row| row[4] }) << binary(bytes)
          pieces, bytes = shipment.pieces
          binds.concat(columns(pieces, 6)) << binary(bytes)
          query(connection, "Append", APPEND, binds).flatten
        end

        def read(connection, positions, limit)
          batches(query(connection, "Read", READ, [array(positions.keys), array(positions.values.map(&:to_i)), limit]))
        end

        def renew(connection, epochs, owner:, lease:)
          query(connection, "Renew", RENEW, [array(epochs.keys), array(epochs.values), microseconds(lease), owner])
        end

        def notify(connection, payloads) = query(connection, "Notify", NOTIFY, [CHANNEL, array(payloads)])

        def announce(keys) = @notifier.push(keys)

        def observe = @listener.start

        def look_away = @listener.stop

        private

        def now = NOW

        def columns(rows, count) = Array.new(count) { |index| array(rows.map { |row| row[index] }) }

        # An array as PostgreSQL reads it.
        def array(values)
          elements = values.map do |value|
            value.is_a?(String) ? %("#{value.gsub(/["\\]/) { |character| "\\#{character}" }}") : value || "NULL"
          end
          "{#{elements.join(",")}}"
        end
      end
    end
  end
end
