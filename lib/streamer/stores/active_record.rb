# frozen_string_literal: true

require "active_record"

module Streamer
  module Stores
    # Logs in a database of the application's: SQLite, PostgreSQL, MySQL or MariaDB, by the connection's adapter. `bin/rails generate
    # streamer:log` makes the tables; docs/stores.md says what each database does.
    #
    #   Streamer::Log.store = Streamer::Stores::ActiveRecord.new
    #   Streamer::Log.store = Streamer::Stores::ActiveRecord.new(connects_to: { database: { writing: :streamer } })
    #
    # Except for `create` and `delete`, nothing runs in a transaction that the caller has open: what is written is there at once, whatever
    # becomes of the transaction.
    class ActiveRecord
      autoload :Adapter, "streamer/stores/active_record/adapter"
      autoload :Connections, "streamer/stores/active_record/connections"
      autoload :Failures, "streamer/stores/active_record/failures"
      autoload :MySQL, "streamer/stores/active_record/mysql"
      autoload :Poller, "streamer/stores/active_record/poller"
      autoload :PostgreSQL, "streamer/stores/active_record/postgresql"
      autoload :Record, "streamer/stores/active_record/record"
      autoload :Shipment, "streamer/stores/active_record/shipment"
      autoload :SQLite, "streamer/stores/active_record/sqlite"

      # Keys in one statement.
      CHUNK = 500

      # Of a transaction that another one was preferred to.
      TRIES = 3

      # What an application's adapter is called => the class that knows the database.
      ADAPTERS = {
        "sqlite3" => :SQLite, "postgresql" => :PostgreSQL, "postgis" => :PostgreSQL, "mysql2" => :MySQL, "trilogy" => :MySQL
      }.freeze
      private_constant :TRIES, :ADAPTERS

      # connects_to: what Active Record's method of this name takes; nil for the application's own connection.
      # record: an abstract class whose connection is used, for logs in several databases.
      # listen_url: where PostgreSQL is reached without a pooler in between, a URL or the name of an entry of config/database.yml.
      # silence: whether statements that come many times in a second are kept out of the application's log.
      def initialize(connects_to: nil, record: nil, listen_url: nil, silence: true)
        @connections = Connections.new(record: record, connects_to: connects_to, silence: silence)
        @listen_url = listen_url
        @lock = Mutex.new
        @watches = Watches.new
      end

      # What every store has: see Stores.
      # :stopdoc:

      # :sqlite, :postgresql or :mysql.
      def name = adapter.name

      # In the transaction that the calling thread has open on this database, if there is one: rolled back with it, and seen by others when it
      # is committed.
      def create(key)
        joining { |connection| adapter.create(connection, key) }
      end

      def heads(keys)
        return {} if keys.empty?

        own(quiet: true) { |connection| all_heads(connection, keys) }
      end

      def claim(key, owner:, lease:, mode: "reset")
        writing("claim") { |connection| adapter.claim(connection, key, owner: owner, lease: lease, mode: mode) }
      end

      def append(appends)
        stored = Shipment.of(appends).flat_map do |shipment|
          writing("append", quiet: true) { |connection| adapter.append(connection, shipment) }
        end
        return Array.new(appends.size) if stored.size == appends.size

        refused = appends.map(&:key) - stored
        heads = heads(refused)
        appends.map { |append| heads.fetch(append.key) { Log::Head.missing(append.key) } if refused.include?(append.key) }
      end

      def renew(epochs, owner:, lease:)
        return {} if epochs.empty?

        writing("renew", quiet: true) do |connection|
          adapter.renew(connection, epochs, owner: owner, lease: lease)
          adapter.heads(connection, epochs.keys)
        end
      end

      def release(key, epoch:, owner:)
        writing("release") do |connection|
          adapter.release(connection, key, epoch: epoch, owner: owner)
          adapter.heads(connection, [key])[key]
        end
      end

      def stop(key, epoch:)
        writing("stop") do |connection|
          adapter.stop(connection, key, epoch: epoch)
          adapter.heads(connection, [key])[key]
        end
      end

      def read(positions, limit: 500)
        return {} if positions.empty?

        own(quiet: true) do |connection|
          positions.each_slice(CHUNK).reduce({}) { |found, slice| found.merge!(adapter.read(connection, slice.to_h, limit)) }
        end
      end

      def text(key)
        own(quiet: true) { |connection| adapter.text(connection, key) }
      end

      def overdue(limit: 100)
        own(quiet: true) { |connection| adapter.overdue(connection, limit) }
      end

      def expired(age:, limit: 100)
        own(quiet: true) { |connection| adapter.expired(connection, age, limit) }
      end

      def prune(key, through:)
        writing("prune") { |connection| adapter.prune(connection, key, through) }
      end

      # In the caller's transaction, as create.
      def delete(keys)
        keys.each_slice(CHUNK) { |slice| joining { |connection| adapter.delete(connection, slice) } }
        nil
      end

      def wake(keys)
        return if keys.empty?

        @watches.call(keys)
        adapter.announce(keys)
        nil
      rescue StandardError => error
        Streamer.report(error)
        nil
      end

      def watch(&block) = @watches.add(block, adapter)

      # For the adapters.
      attr_reader :connections, :watches, :listen_url # :nodoc:

      def adapter
        @adapter || @lock.synchronize { @adapter ||= ActiveRecord.const_get(adapter_name, false).new(self) }
      end

      private

      def adapter_name
        configured = @connections.configuration.adapter.to_s
        ADAPTERS.fetch(configured) do
          raise ArgumentError, "logs cannot be kept through the database adapter #{configured.inspect}: take #{ADAPTERS.keys.join(", ")}, " \
                               "or name an entry of config/database.yml with connects_to:"
        end
      end

      def own(quiet: false)
        @connections.own(quiet: quiet) do |connection|
          adapter.prepare(connection)
          yield connection
        end
      end

      def joining
        @connections.joining do |connection|
          adapter.prepare(connection)
          yield connection
        end
      end

      def writing(method, quiet: false, &block)
        adapter.check_transaction(method)
        tries = 0
        begin
          own(quiet: quiet, &block)
        rescue StoreUnavailableError => error
          # Rolled back for certain, in favour of another one's transaction.
          retry if error.cause.is_a?(::ActiveRecord::TransactionRollbackError) && (tries += 1) < TRIES
          raise
        end
      end

      def all_heads(connection, keys)
        keys.each_slice(CHUNK).reduce({}) { |heads, slice| heads.merge!(adapter.heads(connection, slice)) }
      end
    end
  end
end
