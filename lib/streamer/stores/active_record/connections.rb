# frozen_string_literal: true

module Streamer
  module Stores
    class ActiveRecord
      # Lends a connection of the application's pool for one call, always one that may write: a replica may be behind what a page has shown.
      class Connections # :nodoc:
        # connects_to is applied at the first use: Active Record is not to be loaded while the application is being initialized.
        def initialize(record: nil, connects_to: nil, silence: true)
          @given = record
          @connects_to = connects_to
          @silence = silence
          @lock = Mutex.new
        end

        # The application's, of the database that the logs are in.
        def configuration = Failures.translate { in_writing_role { |pool| pool.db_config } }

        # Yields a connection on which the caller has no transaction open.
        def own(quiet: false, &block)
          lend(quiet) { |pool| in_transaction?(pool) ? with_another(pool, &block) : pool.with_connection(&block) }
        end

        # Yields the connection on which the caller has a transaction open, or any.
        def joining(&block)
          lend(false) { |pool| pool.with_connection(&block) }
        end

        # Whether the caller has a transaction open on this database. The one that a test is rolled back with does not count.
        def transaction? = in_writing_role { |pool| in_transaction?(pool) }

        private

        def lend(quiet, &block)
          Failures.translate { in_writing_role { |pool| quiet ? silently { block.call(pool) } : block.call(pool) } }
        end

        def in_writing_role
          owner = record.connection_class_for_self
          role = ::ActiveRecord.writing_role
          return owner.connected_to(role: role) { yield record.connection_pool } if record.current_shard == record.default_shard

          ::ActiveRecord::Base.prohibit_shard_swapping(false) do
            owner.connected_to(role: role, shard: record.default_shard) { yield record.connection_pool }
          end
        end

        def record
          @record || @lock.synchronize { @record ||= (@given || Record).tap { |record| record.connects_to(**@connects_to) if @connects_to } }
        end

        def in_transaction?(pool)
          transaction = pool.active_connection?&.current_transaction
          transaction ? transaction.open? && transaction.joinable? : false
        end

        def with_another(pool)
          connection = pool.checkout
          begin
            yield connection
          ensure
            pool.checkin(connection)
          end
        end

        def silently(&block)
          logger = ::ActiveRecord::Base.logger
          @silence && logger.respond_to?(:silence) ? logger.silence(&block) : block.call
        end
      end
    end
  end
end
