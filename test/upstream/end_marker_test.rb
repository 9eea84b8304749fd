# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# The end marker ends the reading, whatever the connection does behind it.
module EndMarkerTests
  TEXT = "choices.0.delta.content"
  BEHIND = {
    silence: ->(exchange) { exchange.stall },
    comments: ->(exchange) { loop { exchange.chunk(": still here\n\n").pause(0.02) } },
    events: ->(exchange) { loop { exchange.chunk(Upstream.token(9)).pause(0.02) } },
    flood: ->(exchange) { loop { exchange.chunk(Upstream.token(9, "x" * 10_000)) } },
    reset: ->(exchange) { exchange.pause(0.05).reset },
    end: ->(exchange) { exchange.finish }
  }.freeze

  def setup
    @upstream = upstream
    @client = Streamer::Client.new(@upstream.url, timeouts: { idle: 30, total: 60 })
  end

  # done, what marks the end, in how many events each_event sees it.
  MARKERS = { :optional => "data: [DONE]\n\n", { event: "message_stop" } => "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
              { value: "done" } => "data: {\"done\":true}\n\n" }.freeze

  def test_each_of_them_returns_at_the_marker
    BEHIND.each do |behind, script|
      MARKERS.each do |done, marker|
        @upstream.on("/") { |exchange| script.call(exchange.head.chunk(Upstream.token(0)).chunk(marker)) }
        each_way(done).each do |way, expected|
          started = now
          seen = way.call
          # What lies in one read with the marker may come along.
          assert_equal expected, seen, [behind, done].inspect
          assert_operator now - started, :<, 10, [behind, done].inspect
        end
      end
    end
  end

  def test_it_returns_also_where_marker_and_rest_are_one_read
    @upstream.on("/") { |exchange| exchange.head.chunk("#{Upstream.token(0)}data: [DONE]\n\n#{Upstream.token(1)}").stall }
    assert_equal 2, @client.get("/").each_event.count
  end

  def test_a_connection_that_is_not_quiet_soon_is_given_up
    @upstream.on("/") { |exchange| BEHIND[:comments].call(exchange.head.chunk(Upstream.token(0)).chunk("data: [DONE]\n\n")) }
    response = @client.get("/")
    response.each_value(TEXT) { nil }
    left = @upstream.requests.last
    until left.gone?
      @client.get("/nothing").cancel # in a fiber scheduler connections are looked after while somebody waits for one
      sleep 0.05
    end
    assert_equal :completed, response.timings[:outcome]
  end

  def test_a_json_array_may_end_at_a_marker_too
    @upstream.on("/") do |exchange|
      exchange.head(type: "application/json").chunk("[{\"a\":1},\n{\"a\":2,\"done\":true}\n").stall
    end
    assert_equal [1, 2], @client.get("/").each_value("a", done: { value: "done" }).to_a
  end

  private

  def each_way(done)
    values = -> { @client.get("/").each_value(TEXT, done: done).to_a }
    frames = -> { @client.get("/").each_frames(Streamer::Pipeline.new(value: TEXT, frame: :text, done: done)).to_a.join }
    events = -> { @client.get("/").each_event(done: done).map(&:type) }
    { values => ["t0 "], frames => "data: t0 \n\n", events => ["message", done == { event: "message_stop" } ? "message_stop" : "message"] }
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

class EndMarkerOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include EndMarkerTests

  def test_a_connection_that_is_quiet_soon_is_used_again
    ended = Queue.new
    @upstream.on("/") do |exchange|
      exchange.head.chunk(Upstream.token(0)).chunk("data: [DONE]\n\n: bye\n\n").pause(0.02).finish
      ended << true
    end
    3.times do
      response = @client.get("/")
      response.each_value(TEXT) { nil }
      ended.pop
      sleep 0.05 # until the end is read
      assert_equal :completed, response.timings[:outcome]
    end
    assert_equal 1, @upstream.connections
  end
end

class EndMarkerInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include EndMarkerTests
end

class EndMarkerInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include EndMarkerTests
end
