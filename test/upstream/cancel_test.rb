# frozen_string_literal: true

require "test_helper"
require "open3"
require "rbconfig"
require "timeout"
require "support/contexts"

# Every way to stop waiting: the upstream sees it at once, nobody hangs, and the next request works.
module CancelTests
  AT_ONCE = 2 # seconds, on a busy machine; whoever does not see it waits for ever

  def setup
    @upstream = upstream { |exchange| exchange.openai(tokens: 1) }
    @upstream.on("/silent", &:stall)
    @upstream.on("/stalled") { |exchange| exchange.head.chunk("data: a\n\n").stall }
    @upstream.on("/endless") { |exchange| exchange.openai(tokens: 100_000, every: 0.002) }
    @client = Streamer::Client.new(@upstream.url)
  end

  def teardown
    assert_equal 2, [].tap { |events| @client.get("/healthy").each_event { |event| events << event } }.size unless failures.any?
    super
  end

  def test_cancel_before_reading
    response = @client.get("/stalled")
    leaves_at_once { response.cancel }
    assert_raises(Streamer::CancelledError) { response.each_event { |event| event } }
  end

  def test_cancel_while_another_waits_for_an_event
    response = @client.get("/stalled")
    seen = []
    reader = beside { response.each_event { |event| seen << event.data } }
    wait_until { seen.any? }
    leaves_at_once { response.cancel }
    error = assert_raises(Streamer::CancelledError) { reader.value }
    assert_equal [["a"], 1], [seen, error.delivered]
  end

  def test_cancel_from_within_the_block
    response = @client.get("/endless")
    assert_raises(Streamer::CancelledError) { response.each_event { response.cancel } }
    assert_gone_at_once now
  end

  def test_cancel_from_a_thread
    response = @client.get("/stalled")
    reader = beside { response.each_event { |event| event } }
    sleep 0.05
    leaves_at_once { in_thread { response.cancel }.value }
    assert_raises(Streamer::CancelledError) { reader.value }
  end

  def test_cancel_is_idempotent_and_harmless_after_the_end
    response = @client.get("/healthy")
    response.read
    3.times { response.cancel }
    assert_equal 1, @upstream.connections
  end

  def test_cancelling_one_leaves_the_others_alone
    others = Array.new(3) { beside { @client.get("/healthy").each_event.count } }
    streams = Array.new(3) { @client.get("/endless") }
    streams.first.cancel
    counts = streams.drop(1).map { |stream| beside { stream.each_event.first(20).size } }
    assert_equal [20, 20], counts.map(&:value)
    assert_equal [2, 2, 2], others.map(&:value)
  end

  # In a fiber scheduler somebody must wait for something, or nobody takes the reactor's turns.
  def test_a_dropped_response_is_collected_and_its_connection_closed
    drop_responses
    gone = false
    200.times do
      GC.start
      @client.get("/healthy").read
      break if (gone = @upstream.requests.any?(&:gone?))

      sleep 0.02
    end
    assert gone, "none of the dropped responses was closed"
  end

  def test_many_cancelled_at_random_moments
    random = Random.new(Minitest.seed)
    40.times do
      response = @client.get("/endless")
      reader = beside { response.each_event { |event| event } }
      sleep random.rand(0.01)
      response.cancel
      assert_raises(Streamer::CancelledError) { reader.value }
    end
  end

  private

  def drop_responses
    5.times { @client.get("/stalled") }
    nil
  end

  # The block ends the last request; the upstream must notice.
  def leaves_at_once
    start = now
    yield
    assert_gone_at_once(start)
  end

  def assert_gone_at_once(start)
    moment = @upstream.requests.last.wait_gone
    assert moment, "the upstream never saw the client leave"
    assert_operator moment - start, :<, AT_ONCE
  end
end

# What interrupts a thread.
module ThreadCancelTests
  def test_timeout_while_waiting_for_the_head
    assert_raises(Timeout::Error) { Timeout.timeout(0.6) { @client.get("/silent") } }
    assert_gone_at_once now
  end

  def test_timeout_while_waiting_for_an_event
    seen = []
    assert_raises(Timeout::Error) { Timeout.timeout(0.6) { @client.get("/stalled").each_event { |event| seen << event.data } } }
    assert_equal ["a"], seen
    assert_gone_at_once now
  end
end

class CancelOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include CancelTests
  include ThreadCancelTests

  def test_killing_the_thread_that_waits
    %w[/silent /stalled].each.with_index(1) do |path, number|
      thread = Thread.new { @client.get(path).each_event { |event| event } }
      @upstream.wait_request(number)
      leaves_at_once { assert thread.kill.join(10), "the thread survived its kill" }
    end
  end

  def test_raising_into_the_thread_that_waits
    thread = Thread.new { @client.get("/stalled").each_event { |event| event } }
    thread.report_on_exception = false
    @upstream.wait_request
    leaves_at_once { thread.raise(IndexError, "out") }
    assert_raises(IndexError) { thread.value }
  end

  def test_waking_the_thread_for_nothing_changes_nothing
    thread = Thread.new { @client.get("/stalled", timeouts: { idle: 0.3 }).each_event { |event| event } }
    thread.report_on_exception = false
    10.times do
      sleep 0.02
      thread.wakeup
    end
    assert_raises(Streamer::IdleTimeoutError) { thread.value }
  end

  def test_an_interrupt_ends_a_script_that_waits
    assert_equal "interrupted\n", run_and_signal(:INT, <<~RUBY)
      begin
        Streamer.get(ARGV[0]).each_event { puts "reading"; $stdout.flush }
      rescue Interrupt
        puts "interrupted"
      end
    RUBY
  end

  def test_a_script_that_ends_in_the_middle_of_a_stream_just_ends
    assert_equal "", run_and_signal(:TERM, <<~RUBY)
      trap(:TERM) { exit }
      Streamer.get(ARGV[0]).each_event { puts "reading"; $stdout.flush }
    RUBY
  end

  def test_a_trap_runs_while_a_script_waits
    assert_equal "trapped\n", run_and_signal(:USR1, <<~RUBY)
      trap(:USR1) { puts "trapped"; exit! if $stdout.flush }
      Streamer.get(ARGV[0]).each_event { puts "reading"; $stdout.flush }
    RUBY
  end

  private

  # Runs the script on /stalled, sends it the signal once it reads, and returns what it printed after that.
  def run_and_signal(signal, script)
    lib = File.expand_path("../../lib", __dir__)
    Open3.popen2(RbConfig.ruby, "-I#{lib}", "-rstreamer", "-e", script, @upstream.url("/stalled")) do |_, output, process|
      assert_equal "reading\n", output.gets
      Process.kill(signal, process.pid)
      assert process.join(20), "the script survived SIG#{signal}"
      assert @upstream.requests.last.wait_gone
      output.read
    ensure
      Process.kill(:KILL, process.pid) if process.alive?
    end
  end
end

class CancelInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include CancelTests
end

class CancelInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include CancelTests
  include ThreadCancelTests

  def test_stopping_the_task_that_waits
    %w[/silent /stalled].each.with_index(1) do |path, number|
      task = Async { @client.get(path).each_event { |event| event } }
      @upstream.wait_request(number)
      leaves_at_once { task.stop }
      task.wait
      assert_predicate task, :stopped?
    end
  end

  def test_with_timeout
    seen = []
    assert_raises(Async::TimeoutError) do
      Async::Task.current.with_timeout(0.6) { @client.get("/stalled").each_event { |event| seen << event.data } }
    end
    assert_equal ["a"], seen
    assert_gone_at_once now
  end

  def test_stopping_the_task_that_leads_does_not_stop_the_others
    leader = Async { @client.get("/stalled").each_event { |event| event } }
    followers = Array.new(3) { Async { @client.get("/endless").each_event.first(50).size } }
    sleep 0.03
    leader.stop
    assert_equal [50, 50, 50], followers.map(&:wait)
  end

  def test_a_reactor_that_ends_takes_its_streams_along
    in_thread do
      Sync do |task|
        reader = task.async { @client.get("/stalled").each_event { |event| event } }
        @upstream.wait_request
        reader.stop
      end
    end.value
    assert @upstream.requests.last.wait_gone
  end
end
