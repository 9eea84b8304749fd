# frozen_string_literal: true

require "logger"
require "socket"
require "stringio"
require_relative "contexts"
require_relative "log_database"
require_relative "log_writing"

# What holds for the store on every database. Whoever includes it has `configuration`, of an empty database, and `key_types`: what an
# application may have chosen for its keys.
module ActiveRecordStoreTests
  include Contexts::Threads
  include LogWriting

  def setup
    @database = LogDatabase.new(configuration)
    @store = @database.store
  end

  def teardown
    @database.close
    super
  end

  def test_an_append_is_compared_and_set_in_a_few_statements_however_many_logs_it_is_for
    keys = Array.new(200) { claimed(@store) }
    @store.append(keys.map { |key| entries(key, 1, 0) })
    few = LogDatabase.statements { assert_empty @store.append(keys.first(2).map { |key| entries(key, 1, 1) }).compact }
    many = LogDatabase.statements { assert_empty @store.append(keys.last(198).map { |key| entries(key, 1, 1) }).compact }
    assert_equal few.size, many.size
    assert_operator many.size, :<=, 5, many.map { |sql| sql[0, 60] }.inspect
  end

  def test_what_does_not_fit_hinders_nothing_that_does
    first, other, stopped, closed, gone = Array.new(5) { claimed(@store) }
    @store.stop(stopped, epoch: 1)
    @store.append([closing(closed, 1, 0)])
    @store.delete([gone])
    appends = [entries(first, 1, 0, 3), entries(other, 2, 0), entries(stopped, 1, 0), entries(closed, 1, 1), entries(gone, 1, 0)]
    results = @store.append(appends)
    assert_nil results.first
    assert_equal [other, stopped, closed, gone], results.drop(1).map(&:key)
    assert_equal [1, true, "completed", "missing"], [results[1].epoch, results[2].stop?, results[3].state, results[4].state]
    assert_equal %w[1-0 1-1 1-2 1-3], positions(@store, first)
    assert_nil @store.append([closing(stopped, 1, 0, "cancelled")]).first
  end

  def test_more_appends_than_a_statement_takes
    keys = Array.new(8) { claimed(@store) }
    replace_constant(Streamer::Stores::ActiveRecord::Shipment, :MAX_SIZE, 3) do
      updates = LogDatabase.statements { assert_empty @store.append(keys.map { |key| entries(key, 1, 0) }).compact }
      assert_equal 3, updates.grep(/sequence = a.last/).size
    end
    replace_constant(Streamer::Stores::ActiveRecord, :CHUNK, 3) do
      assert_equal 8, @store.read(keys.to_h { |key| [key, Position.new(1, 0)] }).size
      assert_equal 8, @store.heads(keys).size
    end
    assert_equal 8, @store.renew(keys.to_h { |key| [key, 1] }, owner: "writer", lease: 30).count { |_, head| head.leased? }
  end

  def test_bytes_come_back_as_they_went_in
    key = claimed(@store)
    all = (0..255).to_a.pack("C*") + "'\\\"\0\r\n?$1:key"
    piece = Streamer::Log::Piece.new(through: Position.new(1, 1), text: all * 1000, events: all)
    large = frames(1, [1], "é" * 200_000)
    append = Streamer::Log::Append.new(key: key, epoch: 1, after: 0, last: 1, frames: large, piece: piece)
    assert_nil @store.append([append]).first
    assert_equal large, @store.read({ key => Position.new(1, 0) })[key].first.frames
    stored = @store.text(key).first
    assert_equal [all * 1000, all, Encoding::BINARY], [stored.text, stored.events, stored.text.encoding]
  end

  def test_keys_are_compared_by_their_bytes
    odd = ["Key", "key", "kéy", "key'; --", "key\\", 'key"', "key:id", "{key}", "k,y"]
    assert(odd.all? { |key| @store.create(key) })
    assert_equal odd.sort, @store.heads(odd).keys.sort
    odd.each { |key| claimed(@store, key) }
    assert_empty @store.append(odd.map { |key| entries(key, 1, 0) }).compact
    assert_equal odd.sort, @store.read(odd.to_h { |key| [key, START] }).keys.sort
    assert_equal odd.sort, @store.renew(odd.to_h { |key| [key, 1] }, owner: "writer", lease: 30).keys.sort
  end

  def test_a_limit_is_of_batches_for_each_log
    keys = Array.new(2) { claimed(@store) }
    5.times { |number| @store.append(keys.map { |key| entries(key, 1, number) }) }
    read = @store.read(keys.to_h { |key| [key, Position.new(1, 1)] }, limit: 3)
    keys.each { |key| assert_equal %w[1-2 1-3 1-4], read[key].map { |batch| batch.last.to_s } }
  end

  def test_a_log_is_made_in_the_callers_transaction
    key = fresh_key
    @database.record.transaction do
      assert @store.create(key)
      refute @store.create(key)
      raise ActiveRecord::Rollback
    end
    assert_empty @store.heads([key])
    @database.record.transaction { @store.create(key) }
    refute_empty @store.heads([key])
  end

  def test_in_a_test_that_is_rolled_back_everything_is
    pool = @database.record.connection_pool
    pool.pin_connection!(true)
    key = claimed(@store)
    assert_equal [nil], @store.append([entries(key, 1, 0)])
    assert_equal %w[1-0 1-1], in_thread { positions(@store, key) }.value
    pool.unpin_connection!
    assert_empty @store.heads([key])
  end

  def test_no_connection_is_kept
    key = claimed(@store)
    @store.append([entries(key, 1, 0)])
    @store.read({ key => START })
    assert_nil @database.record.connection_pool.active_connection?
  end

  def test_it_writes_where_the_application_reads_from_a_replica
    key = fresh_key
    ActiveRecord::Base.connected_to(role: :reading) do
      assert @store.create(key)
      assert_equal 1, @store.claim(key, owner: "writer", lease: 30).epoch
    end
  end

  def test_the_applications_query_cache_neither_answers_nor_is_emptied
    key = claimed(@store)
    pool = @database.record.connection_pool
    pool.enable_query_cache do
      pool.with_connection { |connection| connection.select_all("SELECT 1 AS one") }
      assert_equal 0, @store.heads([key])[key].sequence
      in_thread { @store.append([entries(key, 1, 0)]) }.value
      assert_equal 1, @store.heads([key])[key].sequence
      cached = []
      note = ->(*, payload) { cached << payload[:cached] if payload[:sql] == "SELECT 1 AS one" }
      ActiveSupport::Notifications.subscribed(note, "sql.active_record") do
        pool.with_connection { |connection| connection.select_all("SELECT 1 AS one") }
      end
      assert_equal [true], cached
    end
  end

  def test_without_prepared_statements
    unprepared = LogDatabase.new(@database.configuration.merge(prepared_statements: false), tables: false)
    store = unprepared.store
    key = claimed(store)
    piece = Streamer::Log::Piece.new(through: Position.new(1, 1), text: "\xff\0'\\".b)
    assert_equal [nil], store.append([entries(key, 1, 0, piece: piece)])
    assert_equal [%w[1-0 1-1], ["\xff\0'\\".b]], [positions(store, key), store.text(key).map(&:text)]
  ensure
    unprepared&.close
  end

  def test_the_keys_of_the_tables_are_of_the_applications_type
    key_types.each do |type|
      database = LogDatabase.new(configuration, key_type: type)
      store = database.store
      keys = Array.new(3) { claimed(store) }
      assert_empty store.append(keys.map { |key| entries(key, 1, 0) }).compact, type
      assert_equal 3, store.read(keys.to_h { |key| [key, START] }).size, type
      refute_match(/\A\d+\z/, database.value("SELECT id FROM streamer_logs LIMIT 1").to_s) unless type == :integer
    ensure
      database&.close
    end
  end

  def test_no_statement_at_run_time_defines_anything
    statements = LogDatabase.statements do
      watch = @store.watch { nil }
      key = claimed(@store)
      @store.append([entries(key, 1, 0)])
      @store.stop(key, epoch: 1)
      @store.append([closing(key, 1, 1)])
      @store.release(key, epoch: 1, owner: "writer")
      @store.renew({ key => 1 }, owner: "writer", lease: 30)
      @store.read({ key => START })
      @store.text(key)
      @store.overdue
      @store.expired(age: 0)
      @store.prune(key, through: Position.new(1, 9))
      @store.wake([key])
      @store.delete([key])
      watch.close
    end
    assert_operator statements.size, :>, 15
    assert_empty statements.grep(/\b(CREATE|ALTER|DROP|TRUNCATE)\b/i)
  end

  def test_missing_tables_are_named_with_the_commands_that_make_them
    empty = LogDatabase.new(configuration, tables: false)
    store = empty.store
    [-> { store.create("a") }, -> { store.heads(["a"]) }, -> { store.read({ "a" => START }) },
     -> { store.append([entries("a", 1, 0)]) }].each do |call|
      error = assert_raises(Streamer::LogError) { call.call }
      refute_kind_of Streamer::StoreUnavailableError, error
      assert_match(/streamer:log.*db:migrate/, error.message)
    end
  ensure
    empty&.close
  end

  def test_looks_and_appends_are_not_in_the_development_log
    logged { |log| assert_empty talk(@store) && log.string }
    logged { |log| assert_match(/streamer_log_batches/, talk(@database.store(silence: false)) && log.string) }
  end

  def test_the_clock_of_the_process_does_not_matter
    key = claimed(@store)
    [3600, -3600].each do |skew|
      with_clock_off_by(skew) do
        assert_predicate @store.heads([key])[key], :leased?
        assert_nil @store.claim(key, owner: "other", lease: 30)
        assert_predicate @store.renew({ key => 1 }, owner: "writer", lease: 30)[key], :leased?
        assert_empty @store.overdue
      end
    end
    assert_in_delta Time.now.to_f, @store.heads([key])[key].created_at.to_f, 60
  end

  def test_of_eight_processes_that_claim_a_log_one_gets_it
    @store.create(key = fresh_key)
    epochs = in_processes(8) { |number| @store.claim(key, owner: "worker #{number}", lease: 30)&.epoch }
    assert_equal [1], epochs.compact
  end

  def test_twenty_reapers_of_one_log_make_one_new_attempt
    key = claimed(@store, lease: 0)
    assert_equal [key], @store.overdue
    epochs = in_processes(20) { |number| @store.claim(key, owner: "reaper #{number}", lease: 30)&.epoch }
    assert_equal [2], epochs.compact
    assert_equal 1, @store.heads([key])[key].interrupted
  end

  def test_processes_that_append_to_the_same_logs_neither_lose_nor_double
    keys = Array.new(6) { claimed(@store, lease: 300) }
    won = in_processes(4) do |number|
      15.times.sum do
        heads = retrying { @store.heads(keys) }
        appends = keys.shuffle(random: Random.new(number)).map { |key| entries(key, 1, heads[key].sequence) }
        retrying { @store.renew(keys.reverse.to_h { |key| [key, 1] }, owner: "writer", lease: 300) }
        begin
          @store.append(appends).count(&:nil?)
        rescue Streamer::StoreUnavailableError
          0
        end
      end
    end
    stored = keys.sum { |key| @store.heads([key])[key].sequence }
    assert_operator stored, :>=, won.sum
    keys.each do |key|
      last = @store.heads([key])[key].sequence
      assert_equal((0..last).map { |sequence| "1-#{sequence}" }, positions(@store, key))
    end
  end

  def test_a_child_of_the_process_makes_its_own_connections
    key = claimed(@store)
    watch = @store.watch { nil }
    assert_equal [[nil]], in_processes(1) { @store.append([entries(key, 1, 0)]) }
    assert_equal [nil], @store.append([entries(key, 1, 1)])
    assert_equal %w[1-0 1-1 1-2], positions(@store, key)
  ensure
    watch&.close
  end

  def test_a_child_of_the_process_can_watch
    key = claimed(@store)
    parents = @store.watch { nil }
    told = in_processes(1) do
      news = Thread::Queue.new
      watch = @store.watch { |keys| news << keys }
      @store.append([entries(key, 1, 0)])
      @store.wake([key])
      wait_until { !news.empty? && (keys = news.pop).nil? == false && keys.include?(key) }
      watch.close
      true
    end
    assert_equal [true], told
  ensure
    parents&.close
  end

  def test_a_wake_reaches_every_watch_of_this_process_until_it_is_closed
    told = Thread::Queue.new
    watches = Array.new(2) { |number| @store.watch { |keys| told << [number, *keys] if keys } }
    @store.wake(["a"])
    assert_equal [[0, "a"], [1, "a"]], [told.pop, told.pop].sort
    watches.first.close
    @store.wake(["b"])
    assert_equal [1, "b"], told.pop
    watches.last.close
    @store.wake(["c"])
    assert_empty told
  end

  def test_an_error_of_one_watch_is_reported_and_none_of_the_others
    told = Thread::Queue.new
    failing = @store.watch { raise "not today" }
    watch = @store.watch { |keys| told << keys }
    capture_io { @store.wake(["a"]) }
    wait_until { !told.empty? && told.pop == ["a"] }
  ensure
    failing&.close
    watch&.close
  end

  def test_pruning_and_deleting_go_in_portions
    key = claimed(@store)
    30.times { |number| @store.append([entries(key, 1, number)]) }
    @store.append([closing(key, 1, 30)])
    portion = Streamer::Stores::ActiveRecord::Adapter::PORTION
    replace_constant(Streamer::Stores::ActiveRecord::Adapter, :PORTION, 7) do
      deletes = LogDatabase.statements { @store.prune(key, through: Position.new(1, 20)) }.grep(/\ADELETE/)
      assert_equal 4, deletes.size # 1-0 to 1-20
      assert_equal Position.new(1, 20), @store.heads([key])[key].pruned
      assert_equal "1-21", positions(@store, key).first
      @store.delete([key])
    end
    assert_equal 1000, portion
    assert_equal [0, 0, 0], %w[logs log_batches log_pieces].map { |table| @database.value("SELECT COUNT(*) FROM streamer_#{table}") }
  end

  private

  def talk(store)
    key = "quiet"
    @database.record.logger.silence { claimed(store, key) }
    epoch = store.heads([key])[key]
    store.append([entries(key, 1, epoch.sequence)])
    store.read({ key => START })
    store.renew({ key => 1 }, owner: "writer", lease: 30)
    store.overdue
  end

  def logged
    before = ActiveRecord::Base.logger
    log = StringIO.new
    ActiveRecord::Base.logger = ActiveSupport::Logger.new(log)
    ActiveRecord::LogSubscriber.attach_to(:active_record) if ActiveRecord::LogSubscriber.log_subscribers.none?(ActiveRecord::LogSubscriber)
    yield log
  ensure
    ActiveRecord::Base.logger = before
  end

  # What Ruby says the time is.
  def with_clock_off_by(seconds)
    real = Time.method(:now)
    Time.singleton_class.silence_redefinition_of_method(:now)
    Time.define_singleton_method(:now) { |**options| real.call(**options) + seconds }
    yield
  ensure
    Time.singleton_class.send(:remove_method, :now)
    Time.define_singleton_method(:now, real) unless Time.respond_to?(:now)
  end

  def retrying
    yield
  rescue Streamer::StoreUnavailableError
    retry
  end

  # Yields what the store's watch is told after it has begun.
  def watching
    told = Thread::Queue.new
    @watch = @store.watch { |keys| told << keys }
    assert_nil told.pop # whatever came before
    yield told
  ensure
    @watch&.close
  end

  # What the block gives in so many processes at once, in the order of their numbers.
  def in_processes(count)
    gate, open = IO.pipe
    children = Array.new(count) do |number|
      result, answer = IO.pipe
      pid = fork do
        open.close
        gate.read # until all are there
        answer.write(Marshal.dump(yield(number)))
        answer.close
        exit!(0)
      rescue Exception => error
        warn error.full_message
        exit!(1)
      end
      answer.close
      [pid, result]
    end
    gate.close
    open.close
    children.map do |pid, result|
      text = result.read
      Process.wait(pid)
      assert_predicate $?, :success?
      Marshal.load(text)
    end
  end

  def replace_constant(place, name, value)
    before = place.const_get(name)
    place.send(:remove_const, name)
    place.const_set(name, value)
    yield
  ensure
    place.send(:remove_const, name)
    place.const_set(name, before)
  end

  # Where the caller's transaction does not keep everybody from writing.
  module BesideTransactions
    def test_what_is_appended_is_there_at_once_whatever_becomes_of_the_callers_transaction
      key = claimed(@store)
      @database.record.transaction do
        @database.execute("SELECT 1") # a transaction begins with its first statement
        assert_nil @store.append([entries(key, 1, 0)]).first
        assert_equal %w[1-0 1-1], in_thread { positions(@store, key) }.value
        raise ActiveRecord::Rollback
      end
      assert_equal %w[1-0 1-1], positions(@store, key)
    end
  end
end
