# frozen_string_literal: true

module Streamer
  module Generation
    # What a limit counts in: a row to be locked while somebody counts.
    class Scope < ::ActiveRecord::Base # :nodoc:
      self.table_name = "streamer_scopes"

      # Until the end of the transaction of a model's own connection. An update locks on every database, also SQLite, which knows no
      # SELECT ... FOR UPDATE. On MySQL an update of a row that is not there locks the gap that two would then both insert into.
      def self.lock(model, name)
        model.with_connection do |connection|
          Stores::ActiveRecord::SQLite.wait_for_lock(connection) if connection.adapter_name == "SQLite"
          quoted = connection.quote(name)
          table = connection.quote_table_name(table_name)
          insert = "INSERT INTO #{table} (name) VALUES (#{quoted})"
          next connection.execute("#{insert} ON DUPLICATE KEY UPDATE name = name") if connection.adapter_name.match?(/mysql|trilogy/i)

          update = "UPDATE #{table} SET name = name WHERE name = #{quoted}"
          next if connection.update(update) == 1

          connection.execute("#{insert} ON CONFLICT DO NOTHING") # where another transaction was quicker, this one waits for it
          connection.update(update)
        end
      end
    end
  end
end
