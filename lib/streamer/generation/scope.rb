# frozen_string_literal: true

module Streamer
  module Generation
    # What a limit counts in: a row to be locked while somebody counts.
    class Scope < ::ActiveRecord::Base # :nodoc:
      self.table_name = "streamer_scopes"

      # Until the end of the transaction. An update locks on every database, also SQLite, which knows no SELECT ... FOR UPDATE.
      def self.lock(name)
        return if where(name: name).update_all("name = name") == 1

        insert_all([{ name: name }])
        where(name: name).update_all("name = name")
      end
    end
  end
end
