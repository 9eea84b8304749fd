# frozen_string_literal: true

module Streamer
  module Sinks
    # Active Record's connections of the current thread or fiber, where Active Record is loaded.
    module ConnectionPools
      # Gives them back to their pools, so that a stream holds none while it waits. One with an open transaction stays:
      # whoever opened it goes on with it.
      def self.release
        return unless defined?(::ActiveRecord::Base)

        ::ActiveRecord::Base.connection_handler.each_connection_pool(:all) do |pool|
          connection = pool.active_connection?
          pool.release_connection if connection && !connection.transaction_open?
        end
      end

      # A stream may last for minutes, and what it is begun in lasts no shorter: an open transaction, with its connection and its locks. But the
      # transaction that a test is rolled back with is nobody's. Raises OpenTransactionError.
      def self.refuse_transaction(method)
        return unless defined?(::ActiveRecord::Base)

        ::ActiveRecord::Base.connection_handler.each_connection_pool(:all) do |pool|
          transaction = pool.active_connection?&.current_transaction
          raise OpenTransactionError, method if transaction&.open? && transaction.joinable?
        end
      end
    end
  end
end
