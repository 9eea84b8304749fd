# frozen_string_literal: true

require "test_helper"
require "support/active_record_store_tests"
require "support/databases"
require "support/network_store_tests"

# Streamer::Stores::ActiveRecord on MariaDB, which stands for MySQL.
class MySQLStoreTest < Minitest::Test
  include ActiveRecordStoreTests
  include ActiveRecordStoreTests::BesideTransactions
  include NetworkStoreTests

  def test_its_name
    assert_equal :mysql, @store.name
  end

  def test_news_of_another_process_are_polled_for
    key, other = claimed(@store), claimed(@store)
    watching do |told|
      in_processes(1) { @database.store.append([entries(key, 1, 0), entries(other, 1, 0)]) }
      assert_equal [key, other].sort, told.pop.sort
      in_processes(1) { @database.store.stop(other, epoch: 1) }
      assert_equal [other], told.pop - [key]
    end
  end

  def test_readers_look_by_themselves_four_times_a_second
    watching { assert_equal 0.25, @watch.interval }
  end

  def test_the_polling_thread_ends_with_the_last_watch
    wait_until { pollers.empty? } # those of other tests
    watches = Array.new(2) { @store.watch { nil } }
    assert_equal 1, pollers.size
    watches.each(&:close)
    wait_until { pollers.empty? }
  end

  def test_either_isolation_sees_what_was_committed
    ["READ-COMMITTED", "REPEATABLE-READ"].each do |isolation|
      database = LogDatabase.new(@database.configuration.merge(variables: { tx_isolation: isolation }), tables: false)
      store = database.store
      key = claimed(store)
      database.record.transaction do
        assert_equal 0, database.value("SELECT MAX(sequence) FROM streamer_logs WHERE `key` = '#{key}'") # a snapshot
        in_thread { store.append([entries(key, 1, 0)]) }.value
        assert_equal %w[1-0 1-1], positions(store, key)
        assert_equal [nil], store.append([entries(key, 1, 1)])
      end
      assert_equal 2, store.heads([key])[key].sequence
    ensure
      database&.close
    end
  end

  def test_more_bytes_than_a_packet_should_have_are_sent_in_several
    keys = Array.new(4) { claimed(@store) }
    large = Streamer::Stores::ActiveRecord::MySQL::PACKET / 2
    appends = keys.map do |key|
      Streamer::Log::Append.new(key: key, epoch: 1, after: 0, last: 1, frames: frames(1, [1], "x" * large))
    end
    statements = LogDatabase.statements { assert_empty @store.append(appends).compact }
    assert_operator statements.grep(/INSERT INTO streamer_log_batches/).size, :>, 1
    assert_equal keys.sort, @store.read(keys.to_h { |key| [key, Position.new(1, 0)] }).keys.sort
  end

  def test_what_passes_is_unavailable_and_what_is_wrong_stays_what_it_is
    claimed(@store)
    assert_passes("SET max_statement_time = 0.02", "SELECT SLEEP(5)")
    assert_passes("SET innodb_lock_wait_timeout = 1", "UPDATE streamer_logs SET bytes = 1") { held }
    assert_passes("SET SESSION TRANSACTION READ ONLY", "DELETE FROM streamer_logs")
    assert_raises(ActiveRecord::StatementInvalid) { try("SELECT 1", "SELECT nonsense") }
  end

  private

  def server = Databases::MariaDB.shared

  def server_class = Databases::MariaDB

  def configuration = server.fresh

  def patience = Integer(ENV["PATIENCE"] || super)

  def key_types = %i[string]

  def ambiguous = "COMMIT"

  def pollers = Thread.list.select { |thread| thread.name == "streamer poller" && thread.alive? }

  def assert_passes(before, statement)
    holder = yield if block_given?
    assert_raises(Streamer::StoreUnavailableError, statement) { try(before, statement) }
  ensure
    holder&.close
  end

  # Another connection that has all rows.
  def held
    configuration = @database.configuration
    holder = Trilogy.new(**configuration.slice(:host, :port, :username, :database))
    holder.query("BEGIN")
    holder.query("SELECT * FROM streamer_logs FOR UPDATE")
    holder
  end
end
