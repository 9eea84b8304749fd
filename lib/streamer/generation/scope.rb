# frozen_string_literal: true

module Streamer
  module Generation
    # What a limit counts in: a row to be locked while somebody counts.
    class Scope < ::ActiveRecord::Base # :nodoc:
      self.table_name = "streamer_scopes"

      # Until the end of the transaction of a model's own connection. An update locks on every database, also SQLite, which knows no
      # SELECT ... FOR UPDATE.
      def self.lock(model, name)
        model.with_connection do |connection|
          Stores::ActiveRecord::SQLite.wait_for_lock(connection) if connection.adapter_name == "SQLite"
          quoted = connection.quote(name)
          table = connection.quote_table_name(table_name)
          update = "UPDATE #{table} SET name = name WHERE name = #{quoted}"
          next if connection.update(update) == 1

          insert(connection, table, quoted)
          connection.update(update)
        end
      end

      # Nothing where another transaction was quicker: this one waits for it.
      def self.insert(connection, table, quoted)
        ignore = connection.adapter_name.match?(/mysql|trilogy/i) ? "ON DUPLICATE KEY UPDATE name = name" : "ON CONFLICT DO NOTHING"
        connection.execute("INSERT INTO #{table} (name) VALUES (#{quoted}) #{ignore}")
      end
      private_class_method :insert
    end
  end
end
