# frozen_string_literal: true

require "test_helper"
require "support/active_record_store_tests"
require "support/databases"
require "support/network_store_tests"

# Streamer::Stores::ActiveRecord on PostgreSQL.
class PostgreSQLStoreTest < Minitest::Test
  include ActiveRecordStoreTests
  include ActiveRecordStoreTests::BesideTransactions
  include NetworkStoreTests

  def test_its_name
    assert_equal :postgresql, @store.name
  end

  def test_an_append_is_one_statement
    keys = Array.new(3) { claimed(@store) }
    statements = LogDatabase.statements { @store.append(keys.map { |key| entries(key, 1, 0) }) }
    assert_equal 1, statements.size
  end

  def test_a_wake_reaches_another_process_with_its_keys
    watching do |told|
      keys = Array.new(3) { fresh_key }
      Process.wait(fork { @database.store.wake(keys) || exit(0) }) # it is told although the process ends
      assert_equal keys, told.pop
      assert_empty told
    end
  end

  def test_many_wakes_are_few_notifications
    keys = Array.new(2_000) { |number| "key-#{number}-#{"x" * 20}" }
    other = @database.store
    watching do |told|
      statements = LogDatabase.statements do
        keys.each_slice(4) { |slice| other.wake(slice) }
        heard = []
        heard |= told.pop until (keys - heard).empty?
      end
      assert_operator statements.grep(/pg_notify/).size, :<=, 20
    end
  end

  def test_odd_keys_survive_a_notification
    odd = ["k\"1", "k'2", "k\\3", "k,4", "k{5}", "ké6"]
    watching do |told|
      @database.store.wake(odd)
      assert_equal odd, told.pop
    end
  end

  def test_a_notification_by_hand_is_about_any_log
    watching do |told|
      ["", "look", "[]", "{"].each do |payload|
        server.sql("NOTIFY streamer_log, '#{payload}'", database: @database.configuration[:database])
        assert_nil told.pop
      end
    end
  end

  def test_more_keys_than_notifications_should_name_are_any
    watching do |told|
      @database.store.wake(Array.new(20_000) { |number| "key-#{number}" })
      assert_nil told.pop
    end
  end

  def test_an_append_never_notifies
    key = claimed(@store)
    statements = LogDatabase.statements { @store.append([entries(key, 1, 0)]) }
    assert_empty statements.grep(/notify/i)
  end

  def test_the_listening_connection_is_one_and_ends_with_the_last_watch
    watches = Array.new(3) { @store.watch { nil } }
    wait_until { listening == 1 }
    watches.first(2).each(&:close)
    assert_equal 1, listening
    watches.last.close
    wait_until { listening.zero? }
  end

  def test_it_listens_again_when_the_server_has_ended_its_connection
    watching do |told|
      listeners("pg_terminate_backend(pid)")
      assert_nil told.pop # whatever came meanwhile
      wait_until { @watch.interval >= 1 }
      @database.store.wake(["a"])
      wait_until { told.pop == ["a"] }
    end
  end

  # Row 89: the connection is there, and nothing comes.
  def test_a_connection_that_has_gone_silent_is_found_and_replaced
    listener = Streamer::Stores::ActiveRecord::PostgreSQL::Listener
    replace_constant(listener, :QUIET, 0.2) do
      watching do |told|
        backend = listeners("pid").first.fetch("pid")
        Process.kill(:STOP, backend)
        assert_nil told.pop # listens anew
        wait_until { @watch.interval >= 1 }
        Process.kill(:CONT, backend)
        @database.store.wake(["a"])
        wait_until { told.pop == ["a"] }
      end
    end
  end

  def test_readers_look_by_themselves_each_second_since_wakes_may_be_lost
    watching { assert_equal 1.0, @watch.interval }
  end

  # Row 88.
  def test_behind_a_transaction_pooler_news_is_polled_for_and_that_is_said
    with_pooler do |database|
      store, log, events = database.store, StringIO.new, Thread::Queue.new
      before, ActiveRecord::Base.logger = ActiveRecord::Base.logger, ActiveSupport::Logger.new(log)
      note = ->(*, payload) { events << payload }
      key = claimed(store)
      ActiveSupport::Notifications.subscribed(note, "listen_unavailable.streamer") do
        told = Thread::Queue.new
        watch = store.watch { |keys| told << keys }
        assert_match(/proxy/, events.pop[:cause])
        assert_operator watch.interval, :<=, 0.25
        assert_nil told.pop
        @store.append([entries(key, 1, 0)])
        assert_equal [key], told.pop
        @store.stop(key, epoch: 1)
        assert_equal [key], told.pop
        watch.close
      end
      assert_equal 1, log.string.scan("listen_url").size
    ensure
      ActiveRecord::Base.logger = before
    end
  end

  def test_behind_a_transaction_pooler_a_direct_address_is_listened_at
    with_pooler do |database|
      store = database.store(listen_url: server.url(@database.configuration[:database]))
      told = Thread::Queue.new
      watch = store.watch { |keys| told << keys }
      assert_nil told.pop
      assert_equal 1.0, watch.interval
      database.store.wake(["a"])
      assert_equal ["a"], told.pop
    ensure
      watch&.close
    end
  end

  def test_what_is_listened_at_may_be_an_entry_of_the_applications_configuration
    before = ActiveRecord::Base.configurations
    environment = ActiveRecord::ConnectionHandling::DEFAULT_ENV.call
    ActiveRecord::Base.configurations = { environment => { "direct" => @database.configuration.transform_keys(&:to_s) } }
    with_pooler do |database|
      told = Thread::Queue.new
      watch = database.store(listen_url: :direct).watch { |keys| told << keys }
      assert_nil told.pop
      assert_operator watch.interval, :>=, 1
    ensure
      watch&.close
    end
  ensure
    ActiveRecord::Base.configurations = before
  end

  def test_behind_a_transaction_pooler_everything_else_goes_as_ever
    with_pooler do |database|
      store = database.store
      keys = Array.new(5) { claimed(store) }
      appends = keys.map { |key| entries(key, 1, 0, 3) }
      in_processes(4) { |number| retrying { store.append(appends.rotate(number)) }.count(&:nil?) }.sum.then { |won| assert_equal 5, won }
      keys.each { |key| assert_equal %w[1-0 1-1 1-2 1-3], positions(store, key) }
    end
  end

  def test_an_application_whose_transactions_are_repeatable_reads
    configuration = @database.configuration.merge(variables: { default_transaction_isolation: "repeatable read" })
    database = LogDatabase.new(configuration, tables: false)
    store = database.store
    key = claimed(store)
    won = in_processes(4) do
      10.times.count do
        store.append([entries(key, 1, store.heads([key])[key].sequence)]) == [nil]
      rescue Streamer::StoreUnavailableError
        false
      end
    end
    last = store.heads([key])[key].sequence
    assert_equal won.sum, last
    assert_equal((0..last).map { |sequence| "1-#{sequence}" }, positions(store, key))
  ensure
    database&.close
  end

  def test_what_passes_is_unavailable_and_what_is_wrong_stays_what_it_is
    key = claimed(@store)
    sql = { "statement_timeout" => "SELECT pg_sleep(5)", "lock" => "SELECT 1 FROM streamer_logs FOR UPDATE NOWAIT" }
    assert_passes("SET statement_timeout = 20", sql["statement_timeout"])
    holding(key) { assert_passes("SELECT 1", sql["lock"]) }
    assert_passes("SET default_transaction_read_only = on", "DELETE FROM streamer_logs")
    assert_passes("SELECT 1", "SELECT pg_terminate_backend(pg_backend_pid())")
    error = assert_raises(ActiveRecord::StatementInvalid) { try("SELECT 1", "SELECT 1 / 0") }
    assert_kind_of PG::DivisionByZero, error.cause
  end

  # Row 87.
  def test_a_process_that_is_told_to_end_while_it_listens_and_notifies_ends_at_once
    reader, writer = IO.pipe
    pid = fork do
      trap(:TERM) { exit(0) }
      store = @database.store
      store.watch { writer << "." }
      Thread.new { loop { store.wake([fresh_key]) && sleep(0.001) } }
      sleep
    end
    reader.readpartial(1)
    Process.kill(:TERM, pid)
    seconds { Process.wait(pid) }.then { |time| assert_operator time, :<, 5 }
    assert_equal 0, $?.exitstatus
  end

  def test_a_child_of_the_process_does_not_end_its_parents_listening
    watching do |told|
      in_processes(2) { GC.start }
      @database.store.wake(["a"])
      assert_equal ["a"], told.pop
      assert_empty told
    end
  end

  private

  def server = Databases::PostgreSQL.shared

  def server_class = Databases::PostgreSQL

  def patience = Integer(ENV["PATIENCE"] || super)

  def configuration = server.fresh

  def key_types = %i[uuid string]

  def ambiguous = "INSERT INTO streamer_log_batches"

  def listening = listeners("COUNT(*) AS count").first.fetch("count")

  # Of the connections that listen to this test's database; others may still be ending.
  def listeners(columns)
    server.sql("SELECT #{columns} FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = '#{@database.configuration[:database]}'")
  end

  def with_pooler
    pooler = Databases::PgBouncer.new(server, pool_mode: "transaction")
    database = LogDatabase.new(pooler.active_record(database: @database.configuration[:database]), tables: false)
    yield database
  ensure
    database&.close
    pooler&.remove
  end

  def assert_passes(before, statement)
    assert_raises(Streamer::StoreUnavailableError, statement) { try(before, statement) }
  end

  # Another connection has the log's row.
  def holding(_key)
    held = PG.connect(server.url(@database.configuration[:database]))
    held.exec("BEGIN; SELECT 1 FROM streamer_logs FOR UPDATE")
    yield
  ensure
    held&.finish
  end
end
