# frozen_string_literal: true

require_relative "log_tables"

# A database with the logs' tables, and a class of its own for its connections, so that the tests of several databases live in one process.
#
#   database = LogDatabase.new(adapter: "sqlite3", database: path)
#   database.store            # a Streamer::Stores::ActiveRecord
#   database.close
class LogDatabase
  @number = 0

  class << self
    def next_name = "Database#{@number += 1}"
  end

  attr_reader :record, :configuration

  def initialize(configuration, key_type: nil, tables: true)
    @configuration = { pool: 30, **configuration.transform_keys(&:to_sym) }
    @name = self.class.next_name
    @record = self.class.const_set(@name, Class.new(ActiveRecord::Base) { self.abstract_class = true })
    record.establish_connection(@configuration)
    LogTables.create(record, key_type: key_type) if tables
  end

  # Another one is as another process's: it shares nothing but the database.
  def store(**options) = Streamer::Stores::ActiveRecord.new(record: record, **options)

  def execute(sql) = record.with_connection { |connection| connection.execute(sql) }

  def value(sql) = record.with_connection { |connection| connection.select_value(sql) }

  def close
    record.remove_connection
    self.class.send(:remove_const, @name)
  end

  # The statements that the block has sent, from any thread.
  def self.statements
    seen = Thread::Queue.new
    note = ->(*, payload) { seen << payload[:sql] unless payload[:name] == "SCHEMA" }
    ActiveSupport::Notifications.subscribed(note, "sql.active_record") { yield }
    Array.new(seen.size) { seen.pop }
  end
end
