# frozen_string_literal: true

# Whoever waits for SQLite's lock lets the other threads run, one of which may have it. From Rails 8.0 on that is so anyway.
if Rails::VERSION::MAJOR < 8
  ActiveSupport.on_load(:active_record_sqlite3adapter) do
    prepend(Module.new do
      def configure_connection
        super
        @raw_connection.busy_handler_timeout = @config.fetch(:timeout)
      end
    end)
  end
end
