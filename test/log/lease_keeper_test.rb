# frozen_string_literal: true

require "test_helper"
require "support/patience"
require "support/watched_store"

# What makes a process look at what was asked of its writers.
class LeaseKeeperTest < Minitest::Test
  include Patience

  Log = Streamer::Log

  def setup
    Log.store = @store = WatchedStore.new(Streamer::Stores::Memory.new)
    @writers = Array.new(3) { Log.create.claim }
    @first = "#{@writers.first.key}!"
    wait { @store.asked(:heads) > @writers.size } # each claim has looked, and then the keeper, who listens from there on
    @looked_at = []
    @store.before(:heads) { |keys| @looked_at << keys }
  end

  def teardown
    @writers.each(&:abandon)
    Log.store = nil
  end

  def test_what_is_stored_has_no_writer_look
    20.times { @writers.each { |writer| writer << "a" } }
    @writers.each(&:flush)
    @store.wake(@writers.map(&:key))
    @store.wake([@first])

    assert_equal [@writers.first.key], looked_at
  end

  def test_a_stop_has_its_own_writer_look
    writer = @writers.last
    stopped = false
    writer.on_stop { stopped = true }
    @store.stop(writer.key, epoch: writer.epoch)
    @store.wake([writer.key, Log::LeaseKeeper.call_name(writer.key)])

    assert_equal [writer.key], looked_at
    assert(wait { stopped })
  end

  def test_messages_that_may_have_been_missed_have_all_look
    @store.wake(nil)

    assert_equal @writers.map(&:key), looked_at
  end

  def test_nobody_looks_for_a_log_of_another_process
    @store.wake(["#{Log.create.key}!"])
    @store.wake([@first])

    assert_equal [@writers.first.key], looked_at
  end

  private

  def looked_at = wait { @looked_at.first }
end
