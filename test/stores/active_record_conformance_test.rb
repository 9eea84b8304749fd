# frozen_string_literal: true

require "test_helper"
require "streamer/testing/store_conformance"
require "support/databases"
require "support/log_database"
require "support/ports"

# What every store does, on each database of Active Record's.
module ActiveRecordConformance
  include Streamer::Testing::StoreConformance

  def teardown
    (@databases || []).each(&:close)
    super
  end

  def new_store
    @configuration = server.fresh
    database(@configuration).store
  end

  # As another process has it: with connections of its own.
  def second_store = database(@configuration, tables: false).store

  def unreachable_store = database({ **server.active_record, port: Ports.free }, tables: false).store

  private

  def database(configuration, **options)
    LogDatabase.new(configuration, **options).tap { |database| (@databases ||= []) << database }
  end
end

class SQLiteConformanceTest < Minitest::Test
  include ActiveRecordConformance

  def server = Databases::SQLite.shared

  # A directory is no database.
  def unreachable_store = database(server.active_record(database: server.directory), tables: false).store
end

class PostgreSQLConformanceTest < Minitest::Test
  include ActiveRecordConformance

  def server = Databases::PostgreSQL.shared
end

class PgBouncerConformanceTest < Minitest::Test
  include ActiveRecordConformance

  def self.server = @server ||= Databases::PgBouncer.new(Databases::PostgreSQL.shared)

  def server = self.class.server
end

class MySQLConformanceTest < Minitest::Test
  include ActiveRecordConformance

  def server = Databases::MariaDB.shared
end
