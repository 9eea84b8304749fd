# frozen_string_literal: true

require "test_helper"

class RackSinkTest < Minitest::Test
  # A server's stream.
  class Stream
    attr_reader :written, :flushes
    attr_accessor :error

    def initialize
      @written = +""
      @flushes = 0
    end

    def write(bytes)
      raise error if error

      @written << bytes
    end

    def flush = @flushes += 1
    def close = @closed = true
    def closed? = @closed == true
  end

  # A stream whose output is a queue without an end, as Falcon's over HTTP/1.
  class Queued < Stream
    attr_accessor :ready

    def output = self
    def ready? = ready
  end

  def setup
    @stream = Stream.new
    @sink = Streamer::Sinks::Rack.new(@stream, heartbeat: nil)
  end

  def test_it_writes_and_flushes
    @sink.write("data: 1\n\n")

    assert_equal ["data: 1\n\n", 1], [@stream.written, @stream.flushes]
  end

  def test_whatever_the_stream_raises_means_that_the_browser_has_left
    @stream.error = Errno::EPIPE.new
    error = assert_raises(Streamer::BrowserDisconnectedError) { @sink.write("x") }

    assert_kind_of Errno::EPIPE, error.cause
    refute_predicate @sink, :connected?
  end

  def test_nothing_is_tried_again_after_that
    @stream.error = IOError.new("closed")
    assert_raises(Streamer::BrowserDisconnectedError) { @sink.write("x") }
    @stream.error = nil

    assert_raises(Streamer::BrowserDisconnectedError) { @sink.write("y") }
    assert_empty @stream.written
  end

  def test_close_closes_the_stream_also_when_the_browser_has_left
    @stream.error = Errno::EPIPE.new
    assert_raises(Streamer::BrowserDisconnectedError) { @sink.write("x") }
    2.times { @sink.close }

    assert_predicate @stream, :closed?
  end

  def test_close_does_not_raise
    def @stream.close = raise(Errno::ECONNRESET)

    assert_nil @sink.close
  end

  def test_silence_is_filled_with_comments_and_a_write_puts_them_off
    sink = Streamer::Sinks::Rack.new(@stream, heartbeat: 0.8)
    5.times do
      sleep 0.2
      sink.write("x")
    end
    assert_equal "xxxxx", @stream.written
    Timeout.timeout(20) { sleep 0.01 until @stream.written.count(":") == 2 }
    sink.close

    assert_match(/\Axxxxx(:\n\n){2,3}\z/, @stream.written)
  end

  def test_a_heartbeat_that_fails_cancels_what_is_relayed
    answer = Struct.new(:cancelled) do
      def cancel = self.cancelled = true

      def each_frames(_pipeline, every_read:)
        sleep 0.005 until cancelled
        raise Streamer::CancelledError, "cancelled"
      end
    end.new(false)
    sink = Streamer::Sinks::Rack.new(@stream, heartbeat: 0.03)
    @stream.error = Errno::EPIPE.new

    Timeout.timeout(20) { assert_raises(Streamer::BrowserDisconnectedError) { sink.relay(answer, Streamer::Relay::Options.new) } }
  ensure
    sink&.close
  end

  def test_a_queue_that_is_not_taken_holds_up_the_writer
    stream = Queued.new
    stream.ready = true # something is in it
    sink = Streamer::Sinks::Rack.new(stream, heartbeat: nil)
    high = Streamer::Sinks::Rack::HIGH_WATER
    sink.write("x" * (high - 1))
    writer = Thread.new { sink.write("y") }

    assert_nil writer.join(0.1), "a full queue did not hold it up"
    stream.ready = false
    assert writer.join(20), "an empty queue did not let it go"
  end

  def test_a_browser_that_takes_a_large_write_slowly_is_still_there
    stream = Queued.new
    high = Streamer::Sinks::Rack::HIGH_WATER
    now = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }
    taken = now.call
    stream.define_singleton_method(:write) { |bytes| super(bytes).tap { taken = now.call + (0.1 * bytes.bytesize / high) } }
    stream.define_singleton_method(:ready?) { now.call < taken }
    Streamer::Sinks::Rack.new(stream, heartbeat: nil, write_timeout: 0.5).write("x" * (high * 10))

    assert_equal high * 10, stream.written.bytesize
  end

  def test_a_queue_that_is_never_taken_means_a_slow_browser
    stream = Queued.new
    stream.ready = true
    sink = Streamer::Sinks::Rack.new(stream, heartbeat: nil, write_timeout: 0.05)
    error = assert_raises(Streamer::BrowserDisconnectedError) { sink.write("x" * Streamer::Sinks::Rack::HIGH_WATER) }

    assert_predicate error, :slow?
    refute_predicate sink, :connected?
  end

  def test_writers_take_turns
    stream = Stream.new
    def stream.write(bytes)
      bytes.each_char do |char|
        @written << char
        Thread.pass
      end
    end
    sink = Streamer::Sinks::Rack.new(stream, heartbeat: nil)
    Array.new(4) { |index| Thread.new { 20.times { sink.write("<#{index}>") } } }.each(&:join)

    assert_match(/\A(<\d>){80}\z/, stream.written)
  end
end
