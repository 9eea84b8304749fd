# frozen_string_literal: true

require "test_helper"
require "tmpdir"
require "support/active_record_store_tests"

# Streamer::Stores::ActiveRecord on SQLite.
class SQLiteStoreTest < Minitest::Test
  include ActiveRecordStoreTests

  def setup
    @directory = Dir.mktmpdir("streamer-sqlite")
    super
  end

  def teardown
    super
    FileUtils.remove_entry(@directory)
  end

  def test_its_name
    assert_equal :sqlite, @store.name
  end

  def test_a_database_of_its_own_is_named_as_active_record_names_it
    heads = in_processes(1) do
      environment = ActiveRecord::ConnectionHandling::DEFAULT_ENV.call
      entry = @database.configuration.transform_keys(&:to_s)
      primary = { "adapter" => "sqlite3", "database" => "#{@directory}/primary.sqlite3" }
      ActiveRecord::Base.configurations = { environment => { "primary" => primary, "streamer" => entry } }
      ActiveRecord::Base.establish_connection(:primary)
      store = Streamer::Stores::ActiveRecord.new(connects_to: { database: { writing: :streamer } })
      ActiveRecord::Base.transaction do
        claimed(store, "own") # neither in that transaction nor in its way
        raise ActiveRecord::Rollback
      end
      store.heads(["own"])["own"].epoch
    end
    assert_equal [1], heads
    assert_equal %w[1-0], positions(@store, "own")
  end

  def test_news_of_another_process_are_told_by_key_within_milliseconds
    key, other = claimed(@store), claimed(@store)
    watching do |told|
      in_processes(1) { @database.store.append([entries(key, 1, 0), entries(other, 1, 0)]) }
      assert_equal [key, other].sort, told.pop.sort
      in_processes(1) { @database.store.stop(other, epoch: 1) }
      assert_equal [other], told.pop
    end
  end

  def test_renewals_and_the_like_wake_nobody
    key = claimed(@store)
    watching do |told|
      in_processes(1) { @database.store.renew({ key => 1 }, owner: "writer", lease: 30) }
      in_processes(1) { @database.store.append([entries(key, 1, 0)]) }
      assert_equal [key], told.pop
      assert_empty told
    end
  end

  def test_a_file_that_was_replaced_by_a_copy_is_looked_at_anew
    key = claimed(@store)
    copy = "#{@directory}/copy"
    @database.execute("VACUUM INTO '#{copy}'")
    20.times { |number| @store.append([entries(key, 1, number)]) }
    watching do |told|
      @database.record.connection_pool.disconnect!
      %w[-wal -shm].each { |suffix| FileUtils.rm_f("#{path}#{suffix}") }
      File.rename(copy, path)
      assert_nil told.pop
      assert_equal %w[1-0], positions(@store, key)
      in_processes(1) { @database.store.append([entries(key, 1, 0)]) }
      assert_equal [key], told.pop
    end
  end

  def test_the_watching_thread_ends_with_the_last_watch
    wait_until { watchers.empty? } # those of other tests
    watches = Array.new(2) { @store.watch { nil } }
    assert_equal 1, watchers.size
    watches.first.close
    assert_equal 1, watchers.size
    watches.last.close
    wait_until { watchers.empty? }
  end

  def test_a_database_that_is_locked_is_waited_for
    key = claimed(@store)
    locked do |unlock|
      append = in_thread { @store.append([entries(key, 1, 0)]) }
      in_thread { unlock.call }.value
      assert_equal [nil], append.value
    end
  end

  def test_a_database_that_stays_locked_is_unavailable_and_other_threads_run_meanwhile
    database = LogDatabase.new(@database.configuration, tables: false)
    key = claimed(@store)
    locked do
      ticks = 0
      ticking = Thread.new { loop { sleep(0.005) && (ticks += 1) } }
      assert_raises(Streamer::StoreUnavailableError) { database.store.append([entries(key, 1, 0)]) }
      assert_operator ticks, :>, 100
      ticking.kill.join
      assert_equal %w[1-0], positions(@store, key) # reading goes on
    end
    assert_equal [nil], @store.append([entries(key, 1, 0)])
  ensure
    database&.close
  end

  def test_writing_in_an_open_transaction_on_the_same_file_is_refused_with_a_reason
    key = claimed(@store)
    @database.record.transaction do
      [-> { @store.append([entries(key, 1, 0)]) }, -> { @store.stop(key, epoch: 1) },
       -> { @store.claim(key, owner: "writer", lease: 3) }].each do |call|
        error = assert_raises(Streamer::OpenTransactionError) { call.call }
        assert_match(/only lock for writing.*behind the transaction's block/, error.message)
      end
      assert_equal %w[1-0], positions(@store, key)
    end
  end

  def test_another_journal_mode_than_wal_is_advised_against_once
    log = StringIO.new
    before, ActiveRecord::Base.logger = ActiveRecord::Base.logger, ActiveSupport::Logger.new(log)
    old = LogDatabase.new({ adapter: "sqlite3", database: "#{@directory}/old.sqlite3", pragmas: { journal_mode: "delete" } })
    ActiveRecord::Base.logger.level = Logger::WARN
    3.times { in_thread { old.store.create(fresh_key) }.value }
    store = old.store
    log.truncate(log.rewind)
    2.times { in_thread { store.create(fresh_key) }.value }
    assert_equal 1, log.string.scan("use WAL").size
  ensure
    old&.close
    ActiveRecord::Base.logger = before
  end

  def test_a_database_in_memory_serves_one_connection
    database = LogDatabase.new({ adapter: "sqlite3", database: ":memory:", pool: 1 })
    store = database.store
    told = Thread::Queue.new
    watch = store.watch { |keys| told << keys }
    key = claimed(store)
    store.append([entries(key, 1, 0)])
    store.wake([key])
    assert_equal [key], told.pop
    assert_equal %w[1-0 1-1], positions(store, key)
  ensure
    watch&.close
    database&.close
  end

  private

  def configuration
    @files = @files.to_i + 1
    { adapter: "sqlite3", database: @files == 1 ? path : "#{@directory}/#{@files}.sqlite3", timeout: 5000 }
  end

  def path = "#{@directory}/logs.sqlite3"

  def key_types = %i[uuid string integer]

  def watchers = Thread.list.select { |thread| thread.name == "streamer SQLite watcher" && thread.alive? }

  # Another process's transaction.
  def locked
    database = SQLite3::Database.new(path)
    database.execute("BEGIN IMMEDIATE")
    yield -> { database.execute("COMMIT") }
  ensure
    database.execute("ROLLBACK") if database.transaction_active?
    database.close
  end
end
