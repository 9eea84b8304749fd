# frozen_string_literal: true

require "test_helper"
require "support/rails_app"
require "action_dispatch/testing/integration"
require "streamer/testing"
require "streamer/testing/integration"

# Streams that a test reads as they come, without a server. test/testing/rack_versions_test.rb runs this with each supported Rack.
class EventStreamTest < ActionDispatch::IntegrationTest
  include Streamer::Testing::Assertions
  include Streamer::Testing::Integration

  class PacesController < ActionController::Base
    include Streamer::Controller

    LOG = []
    LATCH = Thread::Queue.new

    def countdown
      from = request.headers["Last-Event-ID"].to_i
      stream_events do |events|
        ((from + 1)..4).each do |number|
          sleep 3600
          LOG << number
          events.write({ number: number }, event: "tick", id: number.to_s)
        end
        events.write("", event: "done")
      end
    end

    def endless
      cookies[:seen] = "no" if cookies[:user].blank?
      stream_events(heartbeat: 15) do |events|
        0.step { |number| events.write({ number: number, user: cookies[:user] }, id: number.to_s) }
      ensure
        LOG << "left"
      end
    end

    def silent
      stream_events(heartbeat: 15) do |events|
        3.times { sleep 10 }
        events.write("at last")
      end
    end

    def beating
      stream_events(heartbeat: :event) { |events| sleep(Streamer::Controller.heartbeat + 1) && events.write("late") }
    end

    def relayed
      relay_events(Streamer.request(:get, params[:upstream])) { |result| LOG << result.reason }
    end

    def broken = raise("out of order")
    def plain = render(plain: "a page", status: 404)

    def stuck
      stream_events do |events|
        events.write("one")
        LATCH.pop if params[:for_ever]
        Kernel.sleep 0.1
      end
    end

    def echo
      stream_events { |events| events.write(params.permit(:question).to_h.merge(accept: request.headers["Accept"]), event: "echo") }
    end
  end

  ROUTES = ActionDispatch::Routing::RouteSet.new.tap do |routes|
    routes.draw do
      %w[countdown endless silent beating relayed broken plain stuck echo].each { |name| match name, to: PacesController.action(name), via: :all }
    end
  end
  # What a stream passes in an application.
  STACK = ActionDispatch::MiddlewareStack.new.tap do |stack|
    stack.use Rack::Deflater
    stack.use ActionDispatch::Executor, RailsApp::Application.executor
    stack.use ActionDispatch::Cookies
    stack.use Rack::Head
    stack.use Rack::ConditionalGet
    stack.use Rack::ETag, "no-cache"
  end.build(ROUTES)

  self.app = ->(env) { STACK.call(env.reverse_merge!(RailsApp::Application.env_config)) }

  setup { PacesController::LOG.clear }
  def log = PacesController::LOG

  test "events are read one by one while the action stands still in its next write" do
    open_event_stream("/countdown") do |stream|
      assert_event_stream stream
      assert_equal({ "number" => 1 }, stream.next.json)
      assert_equal [1], log
      assert_equal({ "number" => 2 }, stream.next.json)
      assert_equal [1, 2], log
    end
  end

  test "an hour of sleep takes no time and is seen on the stream's clock" do
    stream = open_event_stream("/countdown")

    assert_streamed stream, { tick: { number: 1 } }, { tick: { number: 2 } }, after: 3600, within: 3600
    assert_equal 7200.0, stream.clock.now
    error = assert_raises(Minitest::Assertion) { assert_streamed stream, :tick, within: 10 }
    assert_match(/at most 10 s before each event; event 1 \(tick\) came after 3600/, error.message)
  end

  test "a clock of the test's own goes on through several streams" do
    clock = Streamer::Testing::Clock.new.advance(100)
    open_event_stream("/countdown", clock: clock) { |stream| assert_equal 3700.0, stream.next.at }
    open_event_stream("/countdown", clock: clock) { |stream| assert_equal 7300.0, stream.next.at }
  end

  test "what is out of order fails and says what there was" do
    stream = open_event_stream("/countdown")
    error = assert_raises(Minitest::Assertion) { assert_streamed stream, { tick: { number: 2 } }, { tick: { number: 1 } } }

    assert_match(/tick \{"number":1\}\n  tick \{"number":2\}/, error.message)
  end

  test "the end is nil, and asserted" do
    stream = open_event_stream("/countdown")
    assert_equal %w[tick tick tick tick done], stream.events.map(&:type)
    assert_nil stream.next
    assert_stream_ended stream
    assert_predicate stream, :ended?
  end

  test "a stream that goes on, and one that ends too early, fail" do
    error = assert_raises(Minitest::Assertion) { assert_stream_ended open_event_stream("/countdown") }
    assert_match(/there was\n  tick/, error.message)
    error = assert_raises(Minitest::Assertion) { assert_streamed open_event_stream("/countdown"), *[:tick] * 4, :done, :more }
    assert_match(/the stream has ended/, error.message)
  end

  test "an endless stream hangs nobody, and its ensure has run when the test has left it" do
    stream = open_event_stream("/endless")
    assert_equal [0, 1, 2], Array.new(3) { stream.next.json["number"] }
    assert_empty log
    stream.disconnect

    assert_equal ["left"], log
    assert_nil stream.next
  end

  test "what a test leaves open is closed with it" do
    open_event_stream("/endless").next
    close_event_streams

    assert_equal ["left"], log
  end

  test "a browser that comes back sends the id of the last event that it has read" do
    stream = open_event_stream("/countdown")
    assert_streamed stream, { tick: { number: 1 } }, { tick: { number: 2 } }
    resumed = stream.resume

    assert_equal "2", stream.last_event_id
    assert_streamed resumed, { tick: { number: 3 } }, { tick: { number: 4 } }, :done
    assert_stream_ended resumed
  end

  test "a stream can begin at an id" do
    open_event_stream("/countdown", last_event_id: "3") { |stream| assert_equal "4", stream.next.id }
  end

  test "heartbeats come on the same clock" do
    stream = open_event_stream("/silent")

    assert_equal "at last", stream.next.data
    assert_equal 30.0, stream.seconds
    assert_equal ["", "", ""], stream.comments # the opening, and after 15 and 30 seconds
  end

  test "heartbeats that are events come, too" do
    assert_equal %w[heartbeat message], open_event_stream("/beating").events.map(&:type)
  end

  test "the session's cookies are sent, and its response stays what it was" do
    cookies["user"] = "ada"
    get "/plain"
    open_event_stream("/endless") { |stream| assert_equal "ada", stream.next.json["user"] }

    assert_equal "a page", response.body
  end

  test "other requests are answered while a stream is open" do
    stream = open_event_stream("/endless")
    stream.next
    get "/plain"
    open_event_stream("/countdown") { |other| assert_equal "1", other.next.id }

    assert_equal "1", stream.next.id
  end

  test "a relay's upstream is let go at once when the test leaves, also in silence" do
    upstream = Streamer::Testing::Upstream.new { |exchange| exchange.head.chunk("data: 1\n\n").stall }
    stream = open_event_stream("/relayed", params: { upstream: upstream.url("/") })
    assert_equal "1", stream.next.data
    stream.disconnect

    assert upstream.requests.last.wait_gone
    assert_equal [:disconnected], log
  ensure
    upstream.stop
  end

  test "an answer that is no stream can be looked at" do
    stream = open_event_stream("/plain")

    assert_equal [404, "a page"], [stream.status, stream.body]
    assert_nil stream.next
    error = assert_raises(Minitest::Assertion) { assert_event_stream stream }
    assert_match(%r{it is 404 text/plain}, error.message)
  end

  test "an error of the application is the test's" do
    assert_equal "out of order", assert_raises(RuntimeError) { open_event_stream("/broken") }.message
  end

  test "an action that says nothing is told of with the place where it stands" do
    stream = open_event_stream("/stuck?for_ever=1", timeout: 0.1)
    assert_equal "one", stream.next.data
    error = assert_raises(Streamer::Testing::EventStream::Late) { stream.next }

    assert_match(/sent no event within 0.1 s; it stands at\n.*event_stream_test.rb/m, error.message)
  ensure
    assert_raises(Streamer::Testing::EventStream::Late) { close_event_streams }
    PacesController::LATCH << true
  end

  test "assertions that need time refuse a response, which has none" do
    get "/echo"

    assert_raises(ArgumentError) { assert_streamed response, :echo, within: 1 }
  end

  test "a complete response is asserted by the same name" do
    get "/echo"

    assert_event_stream
    assert_streamed response, :echo
  end

  test "as: :event_stream asks for one, sends a form, and parses the answer" do
    Streamer::Testing::Integration.register_encoder
    get "/echo", params: { question: "a b" }, as: :event_stream
    assert_equal({ "question" => "a b", "accept" => "text/event-stream" }, response.parsed_body.first.json)

    post "/echo", params: { question: "why" }, as: :event_stream
    assert_equal "why", response.parsed_body.first.json["question"]
  end
end
