# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# Many streams at once, slow readers, and a busy process.
module ParallelTests
  def test_fifty_streams_side_by_side_keep_their_order
    server = upstream { |exchange| exchange.openai(tokens: 20, every: 0.01) }
    client = Streamer::Client.new(server.url)
    expected = Array.new(20) { |number| "t#{number} " }
    took = seconds do
      readers = Array.new(50) { beside { client.get("/").each_value("choices.0.delta.content").to_a } }
      readers.each { |reader| assert_equal expected, reader.value }
    end
    assert_operator took, :<, 9 # one after the other would take ten
    assert_equal 50, server.requests.size
  end

  def test_a_slow_block_slows_its_upstream
    sent = nil
    server = upstream do |exchange|
      sent = exchange
      exchange.endless_line(64 << 20)
    end
    response = Streamer::Client.new(server.url).get("/")
    chunks = response.each_chunk.lazy.map do |chunk|
      sleep 0.1
      chunk.bytesize
    end
    read = chunks.first(5).sum
    # What is under way: the kernel's buffers on both sides, libcurl's, the inbox.
    assert_operator sent.sent - read, :<, 16 << 20
    assert_operator sent.sent, :<, 32 << 20
  end

  def test_a_slow_block_holds_up_nobody_else
    server = upstream { |exchange| exchange.openai(tokens: 20, every: 0.005) }
    server.on("/flood") { |exchange| exchange.endless_line(64 << 20) }
    client = Streamer::Client.new(server.url)
    flood = client.get("/flood")
    slow = beside { flood.each_chunk { sleep 0.2 } }
    assert_operator seconds { assert_equal 21, client.get("/").each_event.count }, :<, 10
    flood.cancel
    assert_raises(Streamer::CancelledError) { slow.value }
  end

  def test_everything_sent_before_a_pause_arrives_after_it
    server = upstream { |exchange| exchange.stream((0...2000).lazy.map { |number| "data: #{number} #{"x" * 2000}\n\n" }) }
    seen = []
    Streamer::Client.new(server.url).get("/").each_event do |event|
      sleep 0.2 if seen.size == 100
      seen << event.data.to_i
    end
    assert_equal (0...2000).to_a, seen
  end

  # One turn of the GVL must deliver all that has arrived; the ceiling only says that nothing is badly wrong.
  def test_values_come_in_time_while_a_thread_computes
    server = Upstream.in_process { |exchange| exchange.stream(Ticks.new(40, 0.02)) }
    client = Streamer::Client.new(server.url)
    computing = true
    busy = in_thread { 1 + 1 while computing }
    delays = Array.new(10) { beside { client.get("/").each_value("sent").map { |sent| now - sent } } }.flat_map(&:value).sort
    milliseconds = [0.5, 0.99].map { |share| delays[(delays.size * share).floor] * 1000 }
    puts format("%s: 10 streams beside a busy thread: p50 %.0f ms, p99 %.0f ms", self.class, *milliseconds)
    assert_equal 400, delays.size
    assert_operator milliseconds.last, :<, 5000
  ensure
    computing = false
    busy.value
    server.stop
  end

  # Frames that say when they were sent.
  Ticks = Struct.new(:count, :every) do
    include Enumerable

    def each
      count.times do
        yield "data: {\"sent\":#{Process.clock_gettime(Process::CLOCK_MONOTONIC)}}\n\n"
        sleep every
      end
    end
  end
end

class ParallelOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include ParallelTests

  def test_many_threads_share_one_client
    server = upstream { |exchange| exchange.openai(tokens: 2) }
    client = Streamer::Client.new(server.url)
    counts = Array.new(16) { Thread.new { Array.new(10) { client.get("/").each_event.count }.sum } }.map(&:value)
    assert_equal [30] * 16, counts
    # One that is not drained within 60 ms is replaced.
    assert_operator server.connections, :<=, 2 * 16
  end

  def test_a_response_may_be_read_by_another_thread_than_its_maker
    server = upstream { |exchange| exchange.openai(tokens: 2) }
    response = Streamer::Client.new(server.url).get("/")
    assert_equal 3, in_thread { response.each_event.count }.value
  end
end

# A fiber waits for the upstream for all of them, and a thread beside it for itself.
module ParallelWithAThreadTests
  def test_a_thread_gets_its_events_while_a_fiber_waits_for_others
    server = upstream { |exchange| exchange.openai(tokens: 2, every: 0.002) }
    server.on("/silent") { |exchange| exchange.head.stall }
    client = Streamer::Client.new(server.url)
    silent = client.get("/silent")
    waiting = beside { silent.each_event.to_a }
    counts = Array.new(40) do
      response = client.get("/")
      in_thread { last_in_line { response.each_event.count } }.value
    end
    silent.cancel
    assert_raises(Streamer::CancelledError) { waiting.value }
    assert_equal [3] * 40, counts
  end

  private

  # So that the fiber's thread is always the first to see what comes.
  def last_in_line
    Process.setpriority(Process::PRIO_PROCESS, 0, 19) if RUBY_PLATFORM.include?("linux") # there it is of this thread alone
    yield
  end
end

class ParallelInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include ParallelTests
  include ParallelWithAThreadTests
end

class ParallelInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include ParallelTests
  include ParallelWithAThreadTests

  def test_a_response_made_in_a_fiber_may_be_read_by_a_thread
    server = upstream { |exchange| exchange.openai(tokens: 2, every: 0.02) }
    response = Streamer::Client.new(server.url).get("/")
    assert_equal 3, in_thread { response.each_event.count }.value
  end
end
