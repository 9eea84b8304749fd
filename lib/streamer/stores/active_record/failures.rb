# frozen_string_literal: true

module Streamer
  module Stores
    class ActiveRecord
      # What a database's error means for whoever asked: StoreUnavailableError for what may go better at another time, an error that says
      # what to do for missing tables. Anything else is a mistake, and stays what it is.
      module Failures # :nodoc:
        PASSING = [::ActiveRecord::ConnectionNotEstablished, ::ActiveRecord::QueryAborted, ::ActiveRecord::TransactionRollbackError,
                   ::ActiveRecord::LockWaitTimeout].freeze

        # SQLite's, by name: its gem need not be there.
        SQLITE = %w[Busy Locked IO CantOpen Full ReadOnly Protocol Interrupt].map { |name| "SQLite3::#{name}Exception" }.freeze

        # SQLSTATE, or its first two characters: connection, resources, operator's intervention, system; a server that has become a standby;
        # a transaction that idled for too long.
        POSTGRESQL = %w[08 53 57 58 25006 25P03 25P04 40 55P03].freeze

        # Too many connections, shutdown, read-only (1290 1792 1836), killed, took too long, gone, lost, idle too long, a row that has
        # changed (MariaDB).
        MYSQL = [1020, 1040, 1053, 1158, 1159, 1160, 1161, 1205, 1213, 1290, 1317, 1792, 1836, 1927, 1969, 1970, 2002, 2003, 2006,
                 2013, 3024, 4031].freeze

        MISSING = /no such table|could not find table|(?:relation|table) .*does(?:n't| not) exist/i

        class << self
          def translate
            yield
          rescue ::ActiveRecord::ActiveRecordError => error
            raise unavailable(error) if passing?(error)
            raise missing if missing?(error)

            raise
          end

          def passing?(error)
            causes = causes_of(error)
            causes.any? { |cause| PASSING.any? { |kind| cause.is_a?(kind) } || sqlite?(cause) || postgresql?(cause) || mysql?(cause) }
          end

          private

          def unavailable(error)
            StoreUnavailableError.new("the logs' database did not do what it was asked for, or nobody knows whether it did: #{error.message}")
          end

          def missing
            LogError.new("the database has no tables for logs: bin/rails generate streamer:log makes their migration, " \
                         "bin/rails db:migrate the tables")
          end

          def missing?(error)
            error.is_a?(::ActiveRecord::StatementInvalid) && error.message.match?(MISSING) && error.message.include?("streamer_log")
          end

          def causes_of(error)
            causes = []
            while error && causes.size < 5
              causes << error
              error = error.cause
            end
            causes
          end

          def sqlite?(error) = SQLITE.include?(error.class.name)

          def postgresql?(error)
            return false unless defined?(::PG::Error) && error.is_a?(::PG::Error)

            state = error.result&.error_field(::PG::PG_DIAG_SQLSTATE).to_s
            error.is_a?(::PG::ConnectionBad) || POSTGRESQL.any? { |known| !state.empty? && state.start_with?(known) }
          end

          def mysql?(error)
            code = error.respond_to?(:error_code) ? error.error_code : (error.error_number if error.respond_to?(:error_number))
            MYSQL.include?(code)
          end
        end
      end
    end
  end
end
