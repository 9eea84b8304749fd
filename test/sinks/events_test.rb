# frozen_string_literal: true

require "test_helper"
require "streamer/sinks/base"
require "support/upstream"

class EventsTest < Minitest::Test
  # A sink that keeps what it gets, and pulls relays through Ruby as the others do.
  class Memory < Streamer::Sinks::Base
    attr_reader :written

    def initialize
      @written = +""
      super(heartbeat: nil)
    end

    def lose = leave

    private

    def deliver(bytes) = @written << bytes
    def finish = nil
  end

  # A Response as far as a sink knows one.
  class Answer
    def initialize(*frames, error: nil, &meanwhile)
      @frames, @error, @meanwhile = frames, error, meanwhile
    end

    def cancel = @cancelled = true
    def cancelled? = @cancelled

    def each_frames(_pipeline, every_read:)
      @frames.each { |frames| yield frames }
      @meanwhile&.call
      raise @error if @error
    end
  end

  def setup
    @sink = Memory.new
    @events = Streamer::Sinks::Events.new(@sink)
  end

  def received = Streamer::Decoder.new.feed(@sink.written)

  def test_a_string_goes_as_it_is_and_anything_else_as_json
    @events.write("plain").write({ a: 1 }).write([1]).write(2).write(true)

    assert_equal ["plain", "{\"a\":1}", "[1]", "2", "true"], received.map(&:data)
  end

  def test_fields
    @events.write("x", event: "step", id: "7", retry: 1500)

    assert_equal "event: step\nid: 7\nretry: 1500\ndata: x\n\n", @sink.written
  end

  def test_what_sse_cannot_carry_is_refused_and_nothing_is_written
    assert_raises(ArgumentError) { @events.write("x", event: "a\nb") }
    assert_raises(ArgumentError) { @events.write("x", colour: "red") }
    assert_empty @sink.written
  end

  def test_comment
    @events.comment("still at it").comment

    assert_equal ": still at it\n\n:\n\n", @sink.written
  end

  def test_nothing_can_be_written_after_close
    @events.write("x")
    @events.close

    refute_predicate @events, :connected?
    assert_raises(Streamer::BrowserDisconnectedError) { @events.write("y") }
    assert_equal ["x"], received.map(&:data)
  end

  def test_a_relay_writes_all_frames
    assert_nil @events.relay(Answer.new("data: 1\n\n", "data: 2\n\n"))

    assert_equal %w[1 2], received.map(&:data)
  end

  def test_a_relay_in_this_thread_shows_its_pipeline_after_each_read
    seen = []
    call = Streamer::Sinks::UpstreamCall.new(Answer.new("data: 1\n\n", "data: 2\n\n"))
    @sink.relay_here(call, Streamer::Relay::Options.new) { |pipeline| seen << [pipeline.class, @sink.written.dup] }

    assert_equal [[Streamer::Pipeline, "data: 1\n\n"], [Streamer::Pipeline, "data: 1\n\ndata: 2\n\n"]], seen
  end

  def test_a_relay_can_outlive_the_browser
    answer = Answer.new("data: 1\n\n", "data: 2\n\n")
    seen = 0
    @sink.relay_here(Streamer::Sinks::UpstreamCall.new(answer), Streamer::Relay::Options.new, outlives_browser: true) do
      seen += 1
      @sink.lose
    end

    assert_equal ["data: 1\n\n", 2], [@sink.written, seen]
  end

  def test_a_relays_error_passes_after_the_frames_made_before_it
    error = failure(Streamer::InvalidJSONError, frames: "data: 2\n\n")
    raised = assert_raises(Streamer::InvalidJSONError) { @events.relay(Answer.new("data: 1\n\n", error: error)) }

    assert_same error, raised
    assert_equal %w[1 2], received.map(&:data)
  end

  def test_a_browser_that_leaves_cancels_what_is_relayed
    answer = Answer.new("data: 1\n\n", error: Streamer::CancelledError.new("cancelled")) { @sink.lose }

    assert_raises(Streamer::BrowserDisconnectedError) { @events.relay(answer) }
    assert_predicate answer, :cancelled?
  end

  # As a provider's Chat is: a request, and how its response is read.
  Declared = Struct.new(:request, :relay_options)

  def test_what_declares_its_own_options_is_relayed_with_them_and_the_callers_win
    upstream = Upstream.new { |exchange| exchange.stream(["data: {\"a\":\"x\",\"b\":\"y\"}\n\n"]) }
    chat = Declared.new(Streamer.request(:get, upstream.url), { value: "a", event: "token" })
    @events.relay(chat)
    @events.relay(chat, value: "b", frame: :text)

    assert_equal [["token", "{\"a\":\"x\"}"], %w[token y]], received.map { |event| [event.type, event.data] }
  ensure
    upstream&.stop
  end

  def test_what_cannot_be_relayed_is_named
    assert_match(/String/, assert_raises(ArgumentError) { @events.relay("http://127.0.0.1/") }.message)
  end

  # Each takes itself from the list of what is relayed as soon as it is cancelled.
  def test_a_browser_that_leaves_cancels_all_that_is_relayed
    started = Queue.new
    stalled = Array.new(4) do
      stall = Queue.new
      answer = Answer.new { (started << true) && stall.pop && raise(Streamer::CancelledError, "cancelled") }
      relay = Thread.new { assert_raises(Streamer::BrowserDisconnectedError) { @events.relay(answer) } }
      answer.define_singleton_method(:cancel) { super().tap { (stall << true) && relay.join(10) unless Thread.current == relay } }
      [answer, relay]
    end
    4.times { started.pop }
    @sink.lose

    assert_equal [true] * 4, stalled.map { |answer, relay| answer.cancelled? && !relay.join(10).nil? }
  end

  def test_what_begins_when_the_browser_has_left_is_not_waited_for
    @sink.lose
    answer = Answer.new { flunk "it was read" }

    assert_raises(Streamer::BrowserDisconnectedError) { @events.relay(answer) }
    assert_predicate answer, :cancelled?
  end

  def test_a_relay_that_somebody_else_cancels_says_so
    answer = Answer.new("data: 1\n\n", error: Streamer::CancelledError.new("cancelled"))

    assert_raises(Streamer::CancelledError) { @events.relay(answer) }
    assert_predicate @events, :connected?
  end

  private

  def failure(type, frames:) = type.new("broken").tap { |error| error.instance_variable_set(:@frames, frames) }
end
