# frozen_string_literal: true

require "active_record"
require "support/log_database"

module Trials
  # What databases have in common that Active Record speaks to.
  class SQLSite < Site
    def initialize(configuration)
      super()
      @configuration = configuration
      @database = LogDatabase.new(configuration)
    end

    def store(port: nil)
      LogDatabase.new(port ? @configuration.merge(port: port) : @configuration, tables: false).store
    end

    def faults = super + %i[lock]

    def statements = 2

    # The last batches are gone, as in a copy of some seconds ago.
    def lose_end(random, key)
      @database.record.with_connection { |connection| connection.transaction { lose(connection, random, key) } }
    rescue ActiveRecord::ActiveRecordError
      nil # it is locked, or restarts
    end

    def close = @database.close

    private

    def lose(connection, random, key)
      log = connection.select_one("SELECT id, epoch, pruned FROM streamer_logs WHERE #{connection.quote_column_name("key")} = '#{key}' " \
                                  "AND state IS NULL AND epoch > 0#{for_update}") or return
      start = log["epoch"] << 32
      lasts = connection.select_values("SELECT position FROM streamer_log_batches WHERE log_id = #{connection.quote(log["id"])} " \
                                       "AND position >= #{start} ORDER BY position")
      kept = lasts[-1 - random.rand(1..3)] || lasts.first or return
      %w[batches pieces].each do |table|
        connection.execute("DELETE FROM streamer_log_#{table} WHERE log_id = #{connection.quote(log["id"])} AND position > #{kept}")
      end
      compacted = connection.select_value("SELECT MAX(position) FROM streamer_log_pieces WHERE log_id = #{connection.quote(log["id"])}") || 0
      connection.execute("UPDATE streamer_logs SET sequence = #{kept - start}, compacted = #{compacted} WHERE id = #{connection.quote(log["id"])}")
    end

    def for_update = " FOR UPDATE"
  end
end
