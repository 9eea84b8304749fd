# frozen_string_literal: true

require "test_helper"
require "socket"
require "support/scheduler"
require "support/upstream"

class SocketSinkTest < Minitest::Test
  def setup
    @browser, @server = UNIXSocket.pair
    @sink = nil
  end

  def teardown
    @sink&.close
    @browser.close
  end

  def open_sink(chunked: true, heartbeat: nil)
    @sink = Streamer::Sinks::Socket.new(@server, chunked: chunked, heartbeat: heartbeat)
  end

  def test_each_write_is_a_chunk_and_close_sends_the_last
    open_sink.write("data: 1\n\n")
    @sink.close

    assert_equal "9\r\ndata: 1\n\n\r\n0\r\n\r\n", received
  end

  def test_without_chunks_the_bytes_are_bare
    open_sink(chunked: false).write("data: 1\n\n")
    @sink.close

    assert_equal "data: 1\n\n", received
  end

  def test_the_servers_descriptor_is_given_up
    open_sink

    assert_predicate @server, :closed?
    assert_predicate @sink, :connected?
  end

  def test_silence_is_filled_with_comments
    open_sink(chunked: false, heartbeat: 0.05)

    assert @browser.wait_readable(2)
    assert_equal ":\n\n", @browser.readpartial(3)
  end

  def test_a_browser_that_left_is_noticed_without_a_write
    open_sink
    @browser.close
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 2
    sleep 0.005 while @sink.connected? && Process.clock_gettime(Process::CLOCK_MONOTONIC) < deadline

    refute_predicate @sink, :connected?
    assert_raises(Streamer::ClientDisconnected) { @sink.write("x") }
  end

  def test_large_frames_of_several_threads_do_not_interleave
    open_sink(chunked: false)
    reader = Thread.new { received }
    size = 200_000
    Array.new(3) { |index| Thread.new { 3.times { @sink.write(index.to_s * size) } } }.each(&:join)
    @sink.close
    frames = reader.value

    assert_equal 9 * size, frames.bytesize
    assert_equal [1] * 9, Array.new(9) { |index| frames[index * size, size].squeeze.size }
  end

  def test_a_relay_of_a_fiber_scheduler_goes_through_ruby
    upstream = Upstream.new { |exchange| exchange.openai(tokens: 2) }
    open_sink(chunked: false)
    plan = Streamer::Plan.new(value: "choices.0.delta.content", event: "token")
    MinimalScheduler.run { @sink.relay(Streamer::Request.new("GET", upstream.url), plan) }
    @sink.close

    assert_equal "event: token\ndata: {\"content\":\"t0 \"}\n\nevent: token\ndata: {\"content\":\"t1 \"}\n\n", received
  ensure
    upstream.stop
  end

  private

  def received
    text = +""
    loop do
      raise "nothing for 5 s" unless @browser.wait_readable(5)

      text << @browser.readpartial(65_536)
    end
  rescue EOFError
    text
  end
end
