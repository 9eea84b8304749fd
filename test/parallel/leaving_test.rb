# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "timeout"

# Merges that are left at any point of their life leave nothing behind: no request, no descriptor, no thread, no branch.
module LeavingTests
  ROUNDS = 40

  def setup
    @server = Upstream.in_process do |exchange|
      exchange.stream((0..2000).lazy.map { |number| "data: #{number} #{"x" * 200}\n\n" }, every: 0.001)
    end
    super
  end

  def teardown
    @server.stop
    super
  end

  def test_nothing_is_left_behind
    client = Streamer::Client.new(@server.url, retries: 2)
    merge = ->(round) { Streamer.merge((0...5).to_h { |number| [number, client.request(:get, "/")] }, limit: 1 + (round % 5)) { |*| nil } }
    leave(merge, 0)
    before = belongings
    ROUNDS.times { |round| leave(merge, round) }
    wait_until_free
    deadline = now + 10
    after = belongings
    after = belongings while after.zip(before).any? { |is, was| is > was + 8 } && now < deadline && sleep(0.1)
    before.zip(after) { |was, is| assert_operator is, :<=, was + 8, "before #{before}, after #{after}" }
  end

  private

  # Seconds into its life.
  def moment = rand * 0.03

  # A transfer that was left before it was sent is nobody's: the garbage collector frees it. One that was sent has to end without that.
  def wait_until_free
    deadline = now + 20
    sleep 0.01 until Streamer.stats.values_at(:open, :upstreams, :queued).sum.zero? || now > deadline
    GC.start
    sleep 0.01 until open_transfers.zero? || now > deadline
    assert_equal 0, open_transfers
  end

  # Those of the native thread and those of a fiber scheduler, which Streamer.stats does not count.
  def open_transfers = ObjectSpace.each_object(Streamer::Transfer).count { |transfer| transfer.outcome == :OPEN }

  # Descriptors (the idle connections are few), threads, transfers, fibers.
  def belongings
    2.times { GC.start }
    [Dir.children("/dev/fd").size, Thread.list.size, ObjectSpace.each_object(Streamer::Transfer).count, ObjectSpace.each_object(Fiber).count]
  end
end

class LeavingByTimeoutTest < Minitest::Test
  include Contexts::Threads
  include LeavingTests

  private

  def leave(merge, round)
    Timeout.timeout(moment + 0.001) { merge.call(round) }
  rescue Timeout::Error
    nil
  end
end

class LeavingByKillTest < Minitest::Test
  include Contexts::Threads
  include LeavingTests

  private

  def leave(merge, round)
    thread = Thread.new { merge.call(round) }
    sleep moment
    thread.kill.join
  end
end

class LeavingByStopTest < Minitest::Test
  include Contexts::InAsync
  include LeavingTests

  private

  def leave(merge, round)
    task = Async { merge.call(round) }
    sleep moment
    task.stop
  end
end

class LeavingByTaskTimeoutTest < Minitest::Test
  include Contexts::InAsync
  include LeavingTests

  private

  def leave(merge, round)
    Async::Task.current.with_timeout(moment + 0.001) { merge.call(round) }
  rescue Async::TimeoutError
    nil
  end
end
