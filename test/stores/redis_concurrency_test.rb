# frozen_string_literal: true

require "test_helper"
require "async"
require "support/redis_store_case"
require "support/scheduler"

# Several threads, fibers and processes at one Redis.
class RedisConcurrencyTest < Minitest::Test
  include RedisStoreCase

  def setup
    @store = new_store(pool: 4)
  end

  def test_threads_share_its_connections
    keys = Array.new(8) { begun(@store) }
    keys.map do |key|
      Thread.new { 20.times { |number| assert_nil write(@store, key, number, number + 1) } }
    end.each(&:join)
    assert_equal [20] * 8, @store.heads(keys).values.map(&:sequence)
  end

  def test_async_tasks_share_them_and_watch
    told = []
    Async do |task|
      watch = @store.watch { |keys| told << keys }
      keys = Array.new(12) { begun(@store) }
      keys.map do |key|
        task.async { 10.times { |number| assert_nil write(@store, key, number, number + 1) } }
      end.each(&:wait)
      assert_equal [10] * 12, @store.heads(keys).values.map(&:sequence)
      eventually("the wakes") { (told.compact.flatten & keys).size == 12 }
    ensure
      watch&.close
    end.wait
  end

  def test_it_needs_no_more_of_a_fiber_scheduler_than_every_one_has
    key = begun(@store)
    MinimalScheduler.run do
      Array.new(3) { |number| Fiber.schedule { @store.read({ key => Position.new(1, number) }) } }
      assert_nil write(@store, key, 0, 1)
      watch = @store.watch { nil }
      watch.close
    end
    assert_equal 1, head(@store, key).sequence
  end

  def test_many_processes_claim_one_log_and_one_has_it
    @store.create("wanted")
    children = Array.new(8) do |number|
      reader, writer = IO.pipe
      child = fork do
        writer.puts @store.claim("wanted", owner: "owner #{number}", lease: LEASE)&.epoch.inspect
        writer.flush
        exit!(0)
      end
      writer.close
      [child, reader]
    end
    answers = children.map { |child, reader| reader.read.tap { Process.wait(child) } }
    assert_equal ["1\n"], answers - ["nil\n"]
  end

  def test_a_fork_uses_connections_of_its_own
    key = begun(@store)
    child = fork do
      write(@store, key, 0, 1)
      exit!(head(@store, key).sequence == 1 ? 0 : 1)
    end
    20.times { assert_equal 1, head(@store, key).epoch }
    Process.wait(child)
    assert_predicate $?, :success?
    assert_equal 1, head(@store, key).sequence
  end

  def test_a_writer_that_stood_still_past_its_lease_writes_nothing_more_once_it_goes_on # row 67
    key = begun(@store, owner: "nobody", lease: 0)
    reader, writer = IO.pipe
    child = fork do
      @store.claim(key, owner: "zombie", lease: 0.2)
      sequence = 0
      sequence += 1 until (found = write(@store, key, sequence, sequence + 1, epoch: 2))
      last = write(@store, key, sequence, sequence + 1, epoch: 2, state: "completed")
      writer.puts [found.epoch, last.epoch, @store.renew({ key => 2 }, owner: "zombie", lease: 9)[key].epoch].inspect
      writer.flush
      exit!(0)
    end
    eventually("some entries") { head(@store, key).then { |one| one.epoch == 2 && one.sequence > 5 } }
    Process.kill(:STOP, child)
    heir = eventually("the end of its lease") { @store.claim(key, owner: "heir", lease: LEASE) }
    assert_equal 3, heir.epoch
    Process.kill(:CONT, child)
    assert_equal "[3, 3, 3]\n", reader.gets
    Process.wait(child)
    child = nil
    assert_nil write(@store, key, 0, 1, epoch: 3)
    positions = ids(read(@store, key)).map { |id| Position.parse(id) }
    assert_equal positions.sort, positions
    assert_equal %w[3-0 3-1], positions.select { |one| one.epoch > 2 }.map(&:to_s)
    assert_equal ["heir", 2], head(@store, key).then { |one| [one.owner, one.interrupted] }
  ensure
    Process.kill(:KILL, child) && Process.wait(child) if child
  end
end
