# frozen_string_literal: true

require "test_helper"
require "support/unsteady_store"
require "support/scheduler"

# A writer, and the threads that it relies on, when something goes wrong.
class LogWriterTest < Minitest::Test
  Log = Streamer::Log
  Away = Streamer::StoreUnavailableError
  Mistake = Class.new(StandardError)

  def setup
    @now = 0
    Log.store = @store = UnsteadyStore.new(Streamer::Stores::Memory.new(clock: -> { @now }))
    @log = Log.create
  end

  # Leaves no writer behind: its lease would be renewed, by a thread, for as long as the tests run.
  def teardown
    @store.as_usual
    [Log::Background.of(@store), *@processes].each { |process| process.lease_keeper.writers.each(&:abandon) }
    Log.store = Log.upkeep = nil
  end

  # The store's being away

  def test_entries_wait_while_the_store_is_away_and_are_stored_once
    writer = @log.claim
    @store.instead(:append, times: 3) { raise Away, "away" }
    @store.instead(:append) { |original| original.call && raise(Away, "the answer is lost") }
    bounded { (writer << "a" << "b").close }

    assert_equal "ab", @log.text
    assert_equal %w[attempt token token done], @log.entries.map(&:type)
  end

  def test_a_close_while_the_store_is_away_ends_with_the_lease_at_the_latest
    writer = short_lease.claim(@log.key, mode: "reset")
    @store.instead(:append, times: 10_000) { raise Away, "away" }
    @store.instead(:renew, times: 10_000) { raise Away, "away" }
    @store.instead(:heads, times: 10_000) { raise Away, "away" }
    error = bounded { assert_raises(Streamer::FencedError) { (writer << "a").close } }

    assert_match(/could not be renewed in time/, error.message)
  end

  # A store that hangs holds up the threads that would notice.
  def test_a_lease_that_runs_out_while_the_store_hangs_is_noticed_by_who_writes_and_who_waits
    gate = Queue.new
    writer = short_lease.claim(@log.key, mode: "reset")
    @store.instead(:renew, times: 100) { gate.pop }
    @store.instead(:heads, times: 100) { gate.pop }
    @store.instead(:append) { gate.pop }
    told = Queue.new
    writer.on_stop { told << true }
    bounded { assert_raises(Streamer::FencedError) { (writer << "a").flush } }
    bounded { told.pop }
  ensure
    @store.as_usual
    200.times { gate << {} }
  end

  def test_a_release_while_the_store_is_away_leaves_the_lease_to_end
    background = short_lease
    writer = background.claim(@log.key, mode: "reset")
    @store.instead(:release) { raise Away, "away" }

    assert_raises(Away) { writer.release }
    assert_empty background.lease_keeper.writers
  end

  # Other errors of a store

  def test_a_store_that_cannot_take_an_entry_says_so_to_its_writer_and_harms_no_other
    other = Log.create
    good, bad = other.claim, @log.claim
    broken = proc { |original, appends| appends.any? { |append| append.key == @log.key } ? raise(Mistake, "too large") : original.call }
    @store.instead(:append, times: 100, &broken)
    error = nil
    reported do
      bad << "a"
      good << "b"
      error = bounded { assert_raises(Streamer::LogError) { bad.flush } }
      bounded { good.close }
    end

    assert_match(/too large/, error.message)
    assert_equal "b", other.text
  end

  def test_a_wrong_answer_ends_one_writer_and_not_the_thread
    writer = @log.claim
    @store.instead(:append) { ["nonsense"] }
    reported { bounded { assert_raises(Streamer::LogError) { (writer << "a").flush } } }
    second = Log.create
    bounded { second.write { |out| out << "b" } }

    assert_equal "b", second.text
  end

  def test_leases_are_renewed_after_a_store_has_raised_whatever
    background = short_lease
    @store.instead(:watch) { raise Away, "away" }
    @store.instead(:renew) { raise Mistake, "broken" }
    renewed = Queue.new
    reported do
      background.claim(@log.key, mode: "reset")
      @store.instead(:renew, times: 1000) { |original| renewed << original.call }
      bounded { 2.times { renewed.pop } }
    end
  ensure
    @store.as_usual
  end

  def test_the_threads_are_made_again_when_they_were_killed
    writer = @log.claim
    (writer << "a").flush
    threads = Thread.list.select { |thread| %w[streamer-log streamer-leases].include?(thread.name) }
    threads.each { |thread| thread.kill.join }
    bounded { (writer << "b").close }
    bounded { Log.create.write { |out| out << "c" } }

    assert_equal "ab", @log.text
  end

  # Stop and close

  def test_a_block_that_has_seen_a_stop_and_returns_leaves_the_log_cancelled
    bounded do
      @log.write do |out|
        (out << "half").flush
        @log.stop
        sleep(0.001) until out.stopped?
      end
    end

    assert_equal ["cancelled", "half"], [@log.head.state, @log.text]
  end

  def test_a_block_that_is_ended_by_a_stop_leaves_the_log_cancelled
    assert_raises(Streamer::StoppedError) do
      bounded do
        @log.write do |out|
          @log.stop
          loop { out << "x" }
        end
      end
    end

    assert_equal "cancelled", @log.head.state
  end

  def test_a_block_that_has_lost_its_log_is_told
    assert_raises(Streamer::FencedError) do
      bounded do
        @log.write do |out|
          (out << "a").flush
          @now += 60
          another_process.claim(@log.key, mode: "reset")
          begin
            (out << "b").flush
          rescue Streamer::FencedError
            nil # and goes on
          end
        end
      end
    end
  end

  def test_what_ends_a_block_is_not_hidden_by_what_comes_of_it
    error = assert_raises(Mistake) do
      bounded do
        @log.write do |out|
          @log.delete
          out << "a"
          raise Mistake, "the application's"
        end
      end
    end

    assert_equal "the application's", error.message
  end

  def test_of_two_that_close_both_learn_how_it_was_closed
    writer = @log.claim
    gate = Queue.new
    @store.instead(:append) { |original| gate.pop && original.call }
    first = Thread.new { writer.close("failed") }
    sleep(0.001) until writer.over?
    second = Thread.new { writer.close("completed") }
    sleep(0.001) until second.stop?
    gate << true

    assert_equal %w[failed failed], bounded { [first.value, second.value] }
    assert_equal "failed", @log.head.state
  end

  def test_a_stop_that_a_dead_writer_has_not_come_to_is_done_by_whoever_is_next
    leave_behind("half")
    @store.stop(@log.key, epoch: 1)
    @now += 60
    Log.upkeep = Object.new.tap { |upkeep| upkeep.define_singleton_method(:recover) { |_| true } }
    Log.upkeep.define_singleton_method(:round) { nil }
    another_process.reaper.round

    assert_equal ["cancelled", "half"], [@log.head.state, @log.text]
  end

  def test_a_job_that_is_done_again_after_a_stop_closes_and_does_nothing
    leave_behind("half")
    @store.stop(@log.key, epoch: 1)
    @now += 60

    assert_raises(Streamer::StoppedError) { bounded { @log.write { |out| out << "again" } } }
    assert_equal ["cancelled", "half"], [@log.head.state, @log.text]
  end

  # Ways out

  def test_a_log_that_is_given_up_is_looked_after_at_once
    begun = Queue.new
    thread = Thread.new { @log.write { |out| ((out << "half").flush && (begun << true)) || sleep } }
    thread.report_on_exception = false
    begun << true
    bounded { sleep(0.001) until @log.text == "half" }
    thread.kill.join

    assert_predicate @log.head, :overdue?
    another_process.reaper.round
    assert_equal ["failed", "half"], [@log.head.state, @log.text]
  end

  def test_a_forked_process_neither_writes_nor_gives_up_what_is_its_parent_s
    writer = @log.claim
    (writer << "a").flush
    reader, pipe = IO.pipe
    pid = fork do
      writer << "b"
    rescue Streamer::ForkError
      writer.abandon
      pipe << @log.head.leased?
    ensure
      exit!(true)
    end
    pipe.close
    Process.wait(pid)

    assert_equal "true", reader.read
    bounded { (writer << "c").close }
    assert_equal "ac", @log.text
  end

  def test_a_forked_process_writes_logs_of_its_own
    @log.write { |out| out << "a" }
    reader, pipe = IO.pipe
    pid = fork do
      Log.create.then { |log| pipe << [log.write { |out| out << "b" }, log.text].inspect }
    ensure
      exit!(true)
    end
    pipe.close
    Process.wait(pid)

    assert_equal [true, "b"].inspect, reader.read
  end

  def test_what_was_added_is_stored_before_the_process_ends
    reader, pipe = IO.pipe
    pid = fork do
      Log.store = @store = UnsteadyStore.new(Streamer::Stores::Memory.new)
      at_exit { pipe << [@log.text, @log.head.overdue?].inspect }
      @log = Log.create
      writer = @log.claim
      @store.instead(:append, times: 2) { raise Away, "away" }
      @store.instead(:append) { |original| sleep(0.05) && original.call }
      20.times { writer << "x" }
      exit(true)
    end
    pipe.close
    Process.wait(pid)

    assert_equal ["x" * 20, true].inspect, reader.read
  end

  def test_a_process_ends_although_the_store_is_away
    pid = fork do
      Log.store = @store = UnsteadyStore.new(Streamer::Stores::Memory.new)
      Log::Background.send(:remove_const, :EXIT)
      Log::Background.const_set(:EXIT, 0.2)
      writer = Log.create.claim
      @store.instead(:append, times: 10_000) { raise Away, "away" }
      writer << "x"
      Thread.new { writer.close }.report_on_exception = false
      exit(true)
    end

    assert_predicate bounded { Process.wait2(pid).last }, :success?
  end

  # Text

  def test_a_text_that_is_read_while_pieces_are_made_is_the_text
    writer = @log.claim
    (writer << "one ").flush
    @store.instead(:text) do |original|
      (writer << "two " << ("x" * 20_000)).flush
      original.call
    end

    assert_equal "one two " + ("x" * 20_000), @log.text
  end

  def test_a_text_that_is_read_while_another_attempt_begins_anew_is_one_of_theirs
    leave_behind("old")
    @now += 60
    @store.instead(:read) do |original|
      original.call.tap { another_process.claim(@log.key, mode: "reset").then { |writer| (writer << "new").close } }
    end

    assert_equal "new", @log.text
  end

  def test_a_text_that_is_read_while_entries_are_pruned_has_no_hole
    writer = @log.claim
    (writer << "one ").flush
    @store.instead(:read) do |original|
      (writer << "two " << ("x" * 20_000)).flush
      @store.prune(@log.key, through: writer.position)
      original.call
    end

    assert_equal "one two " + ("x" * 20_000), @log.text
  end

  def test_a_stop_of_a_log_that_is_deleted_meanwhile_says_that_it_is_unknown
    @log.claim
    @store.instead(:stop) do |original|
      @log.delete
      original.call
    end

    assert_raises(Streamer::UnknownLogError) { @log.stop }
  end

  # Fibers

  def test_fibers_of_a_scheduler_write_and_wait_without_holding_each_other_up
    logs = Array.new(20) { Log.create }
    order = Queue.new
    gate = Queue.new
    @store.instead(:append) { |original| gate.pop && original.call }
    bounded do
      MinimalScheduler.run do
        logs.each do |log|
          Fiber.schedule { log.write { |out| out << "a" << "b" } && (order << :written) }
        end
        Fiber.schedule { (order << :meanwhile) && (gate << true) }
      end
    end

    assert_equal [:meanwhile, *[:written] * 20], Array.new(21) { order.pop }
    assert_equal ["ab"], logs.map(&:text).uniq
  end

  def test_a_fiber_waits_for_room_while_others_go_on
    gate = Queue.new
    @store.instead(:append) { |original| gate.pop && original.call }
    size = 0
    bounded do
      MinimalScheduler.run do
        Fiber.schedule { @log.write { |out| 5.times { (out << ("x" * 400_000)) && size += 1 } } }
        Fiber.schedule do
          sleep(0.01) until size.positive?
          gate << true
        end
      end
    end

    assert_equal 2_000_000, @log.text.bytesize
  end

  private

  def bounded(&block) = Timeout.timeout(20, &block)

  def another_process = Log::Background.new(@store).tap { |process| (@processes ||= []) << process }

  # A process whose leases are over soon, by its clock.
  def short_lease
    another_process.tap { |background| background.instance_variable_set(:@lease_keeper, Log::LeaseKeeper.new(@store, lease: 0.5)) }
  end

  def leave_behind(text)
    process = another_process
    (process.claim(@log.key, mode: "reset") << text).flush
    process.lease_keeper.writers.each { |writer| process.lease_keeper.remove(writer) }
  end

  # What is reported of errors is not to be seen.
  def reported(&block) = capture_io(&block)
end
