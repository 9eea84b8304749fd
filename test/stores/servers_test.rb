# frozen_string_literal: true

require "test_helper"
require "active_record"
require "redis-client"
require "redis_cluster_client"
require "support/databases"

# The servers that the tests of stores use, see test/support/databases.rb.
module ServersTests
  # A server starts, answers, keeps its data and leaves nothing behind. A test class says its `server_class` and how to `store` and list
  # what is `stored`.
  module Common
    SECONDS = 20

    def teardown
      @server&.remove
      super
    end

    def test_its_data_survive_a_restart_and_a_crash
      server = start
      store("first")
      server.restart
      store("second")
      server.kill

      refute_predicate server, :running?
      server.start

      assert_equal %w[first second], stored
    end

    def test_paused_it_answers_nothing_until_it_is_resumed
      server = start
      server.pause
      answer = Thread.new { stored }

      refute answer.join(0.05)
      server.resume

      assert_empty answer.value
    end

    def test_removed_it_leaves_neither_process_nor_directory
      server = start
      pid, directory = server.pid, server.directory
      server.remove

      refute_path_exists directory
      refute alive?(pid)
    end

    def test_it_ends_with_an_owner_that_is_killed
      assert_ends_with_its_owner { |server| server }
    end

    def test_it_ends_with_an_owner_that_is_killed_while_the_server_is_paused
      assert_ends_with_its_owner { |server| store("something") && server.pause }
    end

    private

    def start = @server = server_class.new

    # The owner has a child that lives on, with copies of all that the owner had open.
    def assert_ends_with_its_owner
      reader, writer = IO.pipe
      owner = fork do
        server = start
        yield(server)
        writer.puts([fork { sleep }, server.directory, server.pid, *server.send(:children)].join(" "))
        writer.close
        sleep
      ensure
        exit!(false)
      end
      writer.close
      child, directory, *pids = reader.gets.split
      Process.kill(:KILL, owner)
      Process.wait(owner)

      wait_until { pids.none? { |pid| alive?(pid) } }
      wait_until { !File.exist?(directory) }
    ensure
      Process.kill(:KILL, child.to_i) if child
    end

    def alive?(pid)
      File.read("/proc/#{pid}/stat")[/\) (\w)/, 1] != "Z"
    rescue Errno::ENOENT, Errno::ESRCH
      false
    end

    def wait_until
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + SECONDS
      until yield
        flunk "not within #{SECONDS} s" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

        sleep 0.01
      end
    end
  end

  # Databases that Active Record knows.
  module Relational
    def teardown
      ActiveRecord::Base.remove_connection
      super
    end

    def test_active_record_uses_a_fresh_database
      shared = server_class.shared
      numbers = Array.new(2) do
        ActiveRecord::Base.establish_connection(shared.fresh)
        ActiveRecord::Base.connection.create_table(:notes) { |table| table.binary :text }
        ActiveRecord::Base.connection.execute("INSERT INTO notes (text) VALUES ('one')")
        ActiveRecord::Base.connection.select_value("SELECT COUNT(*) FROM notes")
      end

      assert_equal [1, 1], numbers
    end

    private

    def store(text)
      @server.sql("CREATE TABLE IF NOT EXISTS texts (text VARCHAR(20))")
      @server.sql("INSERT INTO texts (text) VALUES ('#{text}')")
    end

    def stored
      @server.sql("CREATE TABLE IF NOT EXISTS texts (text VARCHAR(20))")
      @server.sql("SELECT text FROM texts ORDER BY text").map { |row| row["text"] }
    end
  end

  module Keys
    def test_fresh_databases_do_not_meet
      first, second = Array.new(2) { RedisClient.config(**server_class.shared.fresh).new_client }
      first.call("SET", "key", "value")

      assert_nil second.call("GET", "key")
    ensure
      [first, second].compact.each(&:close)
    end

    def test_a_replica_has_what_its_primary_has_and_can_be_promoted
      start
      store("first")
      replica = server_class.new(replica_of: @server)

      assert_equal ["first"], replica.command("LRANGE", "texts", 0, -1)
      assert_raises(RedisClient::ReadOnlyError) { replica.command("SET", "key", "value") }
      @server.kill
      replica.promote

      assert_equal "OK", replica.command("SET", "key", "value")
    ensure
      replica&.remove
    end

    private

    def start = @server = server_class.new(appendonly: "yes", appendfsync: "always")
    def store(text) = @server.command("RPUSH", "texts", text)
    def stored = @server.command("LRANGE", "texts", 0, -1)
  end
end

class PostgreSQLServerTest < Minitest::Test
  include ServersTests::Common
  include ServersTests::Relational

  def test_it_can_be_as_durable_as_in_production
    @server = Databases::PostgreSQL.new(durable: true)

    assert_equal [{ "fsync" => "on" }], @server.sql("SHOW fsync")
  end

  def test_a_fresh_database_can_be_a_copy
    shared = Databases::PostgreSQL.shared
    model = shared.fresh.fetch(:database)
    shared.sql("CREATE TABLE notes (number INTEGER); INSERT INTO notes VALUES (7)", database: model)
    copy = shared.fresh(template: model)

    assert_equal [{ "number" => 7 }], shared.sql("SELECT * FROM notes", database: copy.fetch(:database))
    shared.drop(copy)

    assert_raises(PG::ConnectionBad) { shared.sql("SELECT 1", database: copy.fetch(:database)) }
  end

  private

  def server_class = Databases::PostgreSQL
end

class PgBouncerServerTest < Minitest::Test
  include ServersTests::Common
  include ServersTests::Relational

  # Two transactions of one client may meet two connections of the pool, so that nothing of a session is left to the next one.
  def test_it_pools_transactions
    @server = Databases::PgBouncer.new(Databases::PostgreSQL.shared, pool_mode: "transaction", default_pool_size: 1)
    configuration = @server.fresh
    clients = Array.new(2) { PG.connect(host: @server.host, port: @server.port, user: @server.user, dbname: configuration[:database]) }

    assert_equal 1, clients.map { |client| client.exec("SELECT pg_backend_pid()").getvalue(0, 0) }.uniq.size
  ensure
    clients&.each(&:close)
  end

  private

  def server_class = Shared

  # In front of a database server that stays.
  class Shared < Databases::PgBouncer
    def initialize
      super(Databases::PostgreSQL.shared)
      @database = fresh.fetch(:database)
    end

    def database = @database || super
  end
end

class MariaDBServerTest < Minitest::Test
  include ServersTests::Common
  include ServersTests::Relational

  def test_it_can_be_as_durable_as_in_production
    @server = Databases::MariaDB.new(durable: true)

    assert_equal 1, @server.sql("SELECT @@innodb_flush_log_at_trx_commit AS flush").first["flush"]
  end

  private

  def server_class = Databases::MariaDB
end

class RedisServerTest < Minitest::Test
  include ServersTests::Common
  include ServersTests::Keys

  def test_a_sentinel_promotes_a_replica_of_a_primary_that_answers_nothing
    start
    replica = Databases::Redis.new(replica_of: @server)
    sentinel = Databases::RedisSentinel.new(@server, [replica])

    assert_equal @server.port, sentinel.primary_port
    @server.pause
    wait_until { sentinel.primary_port == replica.port }
    client = sentinel.config.new_client

    assert_equal "OK", client.call("SET", "key", "value")
    assert_equal "value", replica.command("GET", "key")
  ensure
    [sentinel, replica].compact.each(&:remove)
  end

  def test_a_cluster_has_every_slot
    cluster = Databases::RedisCluster.new
    client = cluster.config.new_client
    keys = Array.new(20) { |number| "#{cluster.prefix}#{number}" }
    keys.each { |key| client.call("SET", key, key) }

    assert_equal keys, keys.map { |key| client.call("GET", key) }
    assert_operator cluster.nodes.count { |node| node.command("DBSIZE").positive? }, :>, 1
  ensure
    client&.close
    cluster&.remove
  end

  private

  def server_class = Databases::Redis
end

if Databases::Valkey.installed?
  class ValkeyServerTest < Minitest::Test
    include ServersTests::Common
    include ServersTests::Keys

    def test_it_is_valkey
      assert_equal "valkey", Databases::Valkey.shared.info("server")["server_name"]
    end

    private

    def server_class = Databases::Valkey
  end
end

class SQLiteServerTest < Minitest::Test
  include ServersTests::Relational

  def test_removed_it_leaves_no_directory
    database = Databases::SQLite.new
    directory = database.directory
    database.remove

    refute_path_exists directory
  end

  private

  def server_class = Databases::SQLite
end
