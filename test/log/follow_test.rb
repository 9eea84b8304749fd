# frozen_string_literal: true

require "test_helper"
require "async"
require "support/log_reader"
require "support/patience"
require "support/scheduler"
require "support/watched_store"

# Log#follow, and the thread that reads for all readers of a process.
class FollowTest < Minitest::Test
  include Patience

  Log = Streamer::Log

  def setup
    @store = WatchedStore.new(Streamer::Stores::Memory.new)
    Log.store = @store
    @log = Log.create
    @threads = []
  end

  def teardown
    @threads.each(&:kill).each(&:join)
    Log.store = nil
  end

  def test_a_thread_gets_every_entry_as_it_comes_and_the_close
    reader = follow
    wait { reader.notices == ["queued"] }
    @log.write { |out| 50.times { |index| out << "#{index} " } }
    finish(reader)

    assert_equal [[*0...50].map { |index| "#{index} " }.join, "completed", 0], [reader.text, reader.state, reader.gaps]
  end

  def test_a_closed_log_is_read_to_its_end_and_that_is_all
    @log.write { |out| out << "text" }
    entries = []

    assert_nil @log.follow { |entry| entries << entry.type }
    assert_equal %w[gap done], entries
    assert_nil Log.follow(@log.key, after: @log.head.position) { flunk }
  end

  def test_an_unknown_log_cannot_be_followed
    assert_raises(Streamer::UnknownLogError) { Log.follow("unknown") { flunk } }
    assert_raises(ArgumentError) { @log.follow }
  end

  def test_it_is_left_by_break_by_an_exception_and_by_a_timeout_and_leaves_nothing_behind
    writer = @log.claim
    writer << "one "
    writer.flush
    before = Log::Fanout.counters[:readers]

    assert_equal("attempt", @log.follow { |entry| break entry.type })
    assert_raises(ZeroDivisionError) { @log.follow { 1 / 0 } }
    assert_raises(Timeout::Error) { Timeout.timeout(0.05) { @log.follow { nil } } }
    thread = Thread.new { @log.follow { nil } }
    wait { Log::Fanout.counters[:readers] > before }
    thread.kill.join

    assert_equal before, Log::Fanout.counters[:readers]
    writer.close
  end

  def test_tasks_of_an_event_loop_follow_and_can_be_stopped
    texts = Sync do |task|
      readers = Array.new(20) { LogReader.new }
      tasks = readers.map { |reader| task.async { @log.follow { |entry| reader.take(entry) } } }
      idle = task.async { @log.follow { nil } }
      writing = Thread.new { @log.write { |out| 30.times { |index| out << "#{index} " } } }
      tasks.each(&:wait)
      idle.stop
      writing.join
      readers.map(&:text)
    end

    assert_equal [[*0...30].map { |index| "#{index} " }.join], texts.uniq
  end

  def test_fibers_of_any_scheduler_follow
    writing = Thread.new do
      wait { Log::Fanout.counters[:readers].positive? }
      @log.write { |out| 30.times { |index| out << "#{index} " } }
    end
    reader = LogReader.new
    MinimalScheduler.run { @log.follow { |entry| reader.take(entry) } }
    writing.join

    assert_equal "completed", reader.state
  end

  def test_readers_that_come_at_any_moment_have_the_same_text
    writer = Thread.new { @log.write { |out| 400.times { |index| out << "#{index} ".tap { sleep 0.0005 } } } }
    readers = Array.new(30) { follow.tap { sleep rand(0.0..0.012) } }
    writer.join
    readers.each { |reader| finish(reader) }

    assert_equal [[[*0...400].map { |index| "#{index} " }.join, "completed"]], readers.map { |reader| [reader.text, reader.state] }.uniq
  end

  def test_a_log_is_read_once_whatever_the_number_of_its_readers
    readers = Array.new(20) { follow }
    wait { readers.all? { |reader| reader.notices.any? } }
    writer = @log.claim
    reads = @store.asked(:read)
    20.times do |index|
      writer << "#{index} "
      writer.flush
      wait { readers.all? { |reader| reader.text.end_with?("#{index} ") } }
    end

    assert_operator @store.asked(:read) - reads, :<=, (2 * 21) + 5 # a few rounds beside: how the logs are, and what is lost
    writer.close
    readers.each { |reader| finish(reader) }
  end

  def test_many_that_come_back_at_once_cost_the_store_nothing
    stay = follow
    wait { stay.notices.any? }
    writer = @log.claim
    10.times { |index| writer << "#{index} " }
    writer.flush
    wait { stay.text.end_with?("9 ") }
    asked = %i[heads read text].sum { |name| @store.asked(name) }
    readers = Array.new(20) { follow(after: Log::Position.new(1, 5)) }
    wait { readers.all? { |reader| reader.text == "5 6 7 8 9 " } }

    assert_operator %i[heads read text].sum { |name| @store.asked(name) } - asked, :<, 10
    writer.close
    [stay, *readers].each { |reader| finish(reader) }
  end

  def test_a_text_that_many_ask_for_at_once_is_read_once
    text = "x" * 50_000
    @log.write { |out| out << text }
    texts = @store.asked(:text)
    readers = Array.new(20) { follow }
    readers.each { |reader| finish(reader) }

    assert_equal [text], readers.map(&:text).uniq
    assert_operator @store.asked(:text) - texts, :<, 15
  end

  def test_lost_wakes_delay_and_lose_nothing
    @store.deaf = true
    @store.interval = 0.05
    reader = follow
    @log.write { |out| out << "heard" }
    finish(reader)

    assert_equal %w[heard completed], [reader.text, reader.state]
  end

  def test_repeated_and_strange_wakes_do_nothing
    reader = follow
    wait { reader.notices.any? }
    Thread.new { 1000.times { @store.wake([@log.key, "other"]) } }.join
    @log.write { |out| out << "once" }
    finish(reader)

    assert_equal "once", reader.text
  end

  def test_readers_outlast_a_store_that_is_away
    reader = follow
    writer = @log.claim
    writer << "before "
    writer.flush
    wait { reader.text == "before " }
    @store.away = true
    writer << "after"
    sleep 0.05
    @store.away = false
    writer.close
    finish(reader)

    assert_equal "before after", reader.text
  end

  def test_an_error_of_the_store_itself_ends_no_reader
    reader = follow
    wait { reader.notices.any? }
    failures = 3
    @store.before(:read) { raise "broken" if (failures -= 1).positive? }
    capture_io { @log.write { |out| out << "on" } && finish(reader) }

    assert_equal ["on", 0], [reader.text, failures]
  end

  def test_row_72_entries_that_were_deleted_before_the_process_could_read_them_are_told_as_a_gap
    reader = follow
    wait { reader.notices.any? }
    @store.deaf = true
    @store.before(:read) { sleep 0.01 while @held }
    @held = true
    @log.write { |out| out << "unseen " }
    @store.prune(@log.key, through: @log.head.position)
    @held = false
    finish(reader)

    assert_equal ["unseen ", "completed", 1], [reader.text, reader.state, reader.gaps]
  end

  def test_row_81_readers_of_a_log_whose_writer_is_gone_are_told_and_it_is_reaped_at_once
    use_short_leases
    reader = follow
    writer = @log.claim
    writer << "partial"
    writer.flush
    lose(writer)
    Log.reaps = true
    finish(reader)

    assert_includes reader.notices, "recovering"
    assert_equal %w[partial failed], [reader.text, reader.state]
  ensure
    Log.reaps = nil
  end

  def test_row_81_another_attempt_is_told_to_those_who_know_that_nobody_wrote
    use_short_leases
    reader = follow
    writer = @log.claim
    writer << "partial"
    writer.flush
    lose(writer)
    wait { reader.notices.include?("recovering") }
    second = @log.claim
    second << "whole"
    second.flush
    wait { reader.text == "whole" }
    second.close
    finish(reader)

    assert_equal %w[recovering running], reader.notices - %w[queued]
    assert_equal "whole", reader.text
  end

  def test_a_log_that_is_deleted_ends_its_readers
    reader = follow
    wait { reader.notices.any? }
    @log.delete
    reader.thread.join(20) || flunk

    assert_nil reader.state
  end

  def test_a_forked_child_follows_with_a_thread_of_its_own
    reader = follow
    wait { reader.notices.any? }
    @log.write { |out| out << "before the fork" }
    finish(reader)
    pipe, theirs = IO.pipe
    child = fork do
      theirs.write(Log.follow(@log) { |entry| break entry.json["content"] })
      exit!(0)
    end
    theirs.close

    assert_equal "before the fork", pipe.read
  ensure
    Process.wait(child) if child
  end

  def test_no_thread_is_left_when_nobody_reads
    follow.then { |reader| @log.write { |out| out << "x" } && finish(reader) }

    wait { Thread.list.none? { |thread| thread.name == "streamer-followers" } }
  end

  private

  # A LogReader that follows the log in a thread.
  def follow(after: Log::Position::START)
    reader = LogReader.new(after)
    thread = Thread.new { @log.follow(after: after) { |entry| reader.take(entry) } }
    thread.report_on_exception = false
    @threads << thread
    reader.define_singleton_method(:thread) { thread }
    reader
  end

  def finish(reader)
    assert reader.thread.join(20), "the reader has not ended: #{reader.text.inspect}"
    assert reader.state, "the log is not closed"
  end

  def use_short_leases
    keeper = Log::LeaseKeeper.new(@store, lease: 0.2)
    Log.background.instance_variable_set(:@lease_keeper, keeper)
  end

  # As a process that is killed.
  def lose(writer)
    Log.background.lease_keeper.remove(writer)
  end
end
