# frozen_string_literal: true

require "active_record"

# Whoever waits for SQLite's lock lets the process's other threads run, of which one may have it: as Rails does by itself since 8.0.
module ConsiderateSQLite
  def configure_connection
    super
    @raw_connection.busy_handler_timeout = @config[:timeout]
  end

  ActiveSupport.on_load(:active_record_sqlite3adapter) { prepend ConsiderateSQLite } if ActiveRecord.gem_version < Gem::Version.new("8.0")
end
