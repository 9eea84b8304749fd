# frozen_string_literal: true

require "test_helper"
require "streamer/sinks/events"
require "support/contexts"

# Streamer.gather: ordinary answers, as they finish.
module GatherTests
  def setup
    @server = upstream { |exchange| exchange.pause(exchange.request.query["after"].to_f).json({ path: exchange.request.path }) }
    @server.on("/text") { |exchange| exchange.answer("words") }
    @server.on("/failing") { |exchange| exchange.json({ error: "out of order" }, status: 503) }
    @server.on("/wrong") { |exchange| exchange.answer("{", type: "application/json") }
    @server.on("/silent", &:stall)
    @client = Streamer::Client.new(@server.url)
    super
  end

  def get(path) = @client.request(:get, path)

  def test_contents_come_as_they_finish_and_are_returned_in_their_order
    order = []
    @server.on("/late") { |exchange| wait_until { order.size == 2 } && exchange.json({ path: "/late" }) }
    contents = Streamer.gather(late: get("/late"), early: get("/early"), text: get("/text")) do |name, content|
      order << name
      assert_equal({ "path" => "/early" }, content) if name == :early
    end
    assert_equal({ late: { "path" => "/late" }, early: { "path" => "/early" }, text: "words" }, contents)
    assert_equal %i[late early text], contents.keys
    assert_equal :late, order.last
  end

  def test_they_are_asked_side_by_side
    took = seconds { Streamer.gather((0...10).to_h { |number| [number, get("/#{number}?after=1")] }) }
    assert_operator took, :<, 8
  end

  def test_an_error_is_raised_or_takes_the_content_s_place
    error = assert_raises(Streamer::ResponseError) { Streamer.gather(bad: get("/failing"), silent: get("/silent")) }
    assert_match(/out of order/, error.message)
    contents = Streamer.gather({ bad: get("/failing"), wrong: get("/wrong"), good: get("/good?after=0.1") }, on_error: :yield)
    assert_equal [Streamer::ResponseError, Streamer::InvalidJSONError, Hash], contents.values.map(&:class)
  end

  def test_a_call_may_return_the_content
    contents = Streamer.gather({ one: -> { @client.get("/one").json["path"] }, two: -> { 2 } }, limit: 1)
    assert_equal({ one: "/one", two: 2 }, contents)
  end

  def test_a_call_may_return_a_request
    contents = Streamer.gather(one: -> { get("/one") })
    assert_equal "/one", contents[:one]["path"]
  end

  def test_progress_is_told
    told = []
    @server.on("/b") { |exchange| wait_until { told.any? } && exchange.json({}) }
    Streamer.gather({ a: get("/a"), b: get("/b") }, progress: ->(progress, name, _) { told << [progress, name] })
    assert_equal [[{ done: 1, total: 2 }, :a], [{ done: 2, total: 2 }, :b]], told
  end

  def test_breaking_cancels_the_rest
    @server.on("/quick") { |exchange| @server.wait_request(2) && exchange.json({}) }
    Streamer.gather(quick: get("/quick"), silent: get("/silent")) { break }
    assert @server.requests.find { |request| request.path == "/silent" }.wait_gone
  end

  # What a browser gets while several services are asked.
  def test_progress_and_contents_go_straight_into_a_stream
    events = Streamer::Sinks::Events.new(sink = Recorder.new)
    @server.on("/b") { |exchange| wait_until { sink.events.size == 2 } && exchange.json({}) }
    Streamer.gather({ a: get("/a"), b: get("/b") },
                    progress: ->(progress, *) { events.write(progress, event: "progress") }) do |name, content|
      events.write(content, event: name.to_s)
    end
    assert_equal %w[a progress b progress], sink.events.map(&:type)
    assert_equal({ "done" => 2, "total" => 2 }, sink.events.last.json)
  end

  class Recorder
    def initialize = @bytes = +""
    def write(bytes) = @bytes << bytes
    def events = Streamer::Decoder.new.feed(@bytes)
  end
end

class GatherOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include GatherTests
end

class GatherInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include GatherTests
end

class GatherInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include GatherTests
end
