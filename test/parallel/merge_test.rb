# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# Streamer.merge: what it yields, how it ends, and what it leaves behind.
module MergeTests
  def setup
    @server = upstream { |exchange| exchange.openai(tokens: 3) }
    @server.on("/numbers") do |exchange|
      count, every = exchange.request.query.values_at("count", "every")
      exchange.stream((0...count.to_i).lazy.map { |number| "data: #{number}\n\n" }, every: every.to_f)
    end
    @server.on("/stall") { |exchange| exchange.head.chunk("data: first\n\n").stall }
    @server.on("/silent", &:stall)
    @server.on("/failing") { |exchange| exchange.pause(0.1).json({ error: "out of order" }, status: 500) }
    @server.on("/broken") { |exchange| exchange.head.chunk("data: first\n\n").close }
    @server.on("/text") { |exchange| exchange.answer("all of it") }
    @server.on("/lines") { |exchange| exchange.answer("{\"a\":1}\n{\"a\":2}\n", type: "application/x-ndjson") }
    @server.on("/moved") { |exchange| exchange.redirect("/numbers?count=2") }
    @client = Streamer::Client.new(@server.url)
    super
  end

  def numbers(count, every = 0) = @client.request(:get, "/numbers?count=#{count}&every=#{every}")

  def get(path) = @client.request(:get, path)

  def test_events_come_from_all_as_they_arrive_and_keep_each_source_s_order
    seen = []
    Streamer.merge(slow: numbers(5, 0.2), quick: numbers(5, 0.01)) { |name, event| seen << [name, event.data.to_i] }
    assert_equal({ slow: [*0..4], quick: [*0..4] }, seen.group_by(&:first).transform_values { |pairs| pairs.map(&:last) })
    assert_operator seen.index([:quick, 4]), :<, seen.index([:slow, 4])
  end

  def test_the_caller_s_own_thread_and_fiber_run_the_block
    homes = []
    Streamer.merge(a: numbers(3), b: numbers(3)) { homes << [Thread.current, Fiber.current] }
    assert_equal [[Thread.current, Fiber.current]], homes.uniq
    assert_equal 6, homes.size
  end

  def test_keywords_are_names_whatever_they_are_called
    names = []
    Streamer.merge(limit: numbers(1), on_error: numbers(1), progress: numbers(1)) { |name, _| names << name }
    assert_equal %i[limit on_error progress], names.sort
  end

  def test_a_response_a_call_and_what_is_no_event_stream_are_sources_too
    seen = Hash.new { |hash, name| hash[name] = [] }
    response = @client.get("/numbers?count=2")
    Streamer.merge({ "response" => response, 1 => -> { @client.get("/numbers?count=1") }, text: get("/text"), moved: get("/moved"),
                     built: -> { numbers(1) } }) do |name, event|
      seen[name] << event.data
    end
    assert_equal({ "response" => %w[0 1], 1 => %w[0], :text => ["all of it"], :moved => %w[0 1], :built => %w[0] }, seen)
  end

  def test_ndjson_gives_an_event_for_each_line
    seen = []
    Streamer.merge(lines: get("/lines")) { |_, event| seen << event.json["a"] }
    assert_equal [1, 2], seen
  end

  def test_a_call_waits_for_its_upstream_while_the_others_go_on
    order = []
    @server.on("/later") { |exchange| wait_until { order.size == 3 } && exchange.stream(["data: 0\n\n"]) }
    waiting = -> { @client.get("/later").each_event.to_a && @client.get("/numbers?count=1") }
    Streamer.merge({ waiting: waiting, other: numbers(3, 0.02) }) { |name, _| order << name }
    assert_equal %i[other other other waiting], order
  end

  def test_one_thousand_sources
    sources = (0...1000).to_h { |number| [number, numbers(2)] }
    counts = Hash.new(0)
    finished = []
    Streamer.merge(sources, limit: 50, progress: ->(progress, *) { finished << progress[:done] }) { |name, _| counts[name] += 1 }
    assert_equal sources.transform_values { 2 }, counts
    assert_equal [*1..1000], finished
  end

  def test_no_more_than_the_limit_are_open_at_once
    open = most = 0
    lock = Mutex.new
    @server.on("/counted") do |exchange|
      lock.synchronize { most = [most, open += 1].max }
      exchange.head.chunk("data: x\n\n")
      wait_until { most >= 3 }
      exchange.pause(0.05)
      lock.synchronize { open -= 1 }
      exchange.finish
    end
    names = []
    Streamer.merge((0...9).to_h { |number| [number, get("/counted")] }, limit: 3) { |name, _| names << name }
    assert_equal [*0..8], names.sort
    assert_equal 3, most
    assert_equal [0, 1, 2], names.first(3).sort
  end

  def test_progress_is_told_of_each_end
    told = []
    Streamer.merge({ a: numbers(1), b: get("/failing"), c: numbers(3, 0.3) }, on_error: :yield,
                   progress: ->(progress, name, error) { told << [progress, name, error.class] }) { |*| nil }
    assert_equal [1, 2, 3], told.map { |progress, _, _| progress[:done] }
    assert_equal [3], told.map { |progress, _, _| progress[:total] }.uniq
    assert_equal({ a: NilClass, b: Streamer::ResponseError, c: NilClass }, told.to_h { |_, name, error| [name, error] })
    assert_equal :c, told.last[1]
  end

  def test_the_first_error_is_raised_and_cancels_the_others
    @server.on("/failing") { |exchange| @server.wait_request(2) && exchange.json({ error: "out of order" }, status: 500) }
    error = assert_raises(Streamer::ResponseError) { Streamer.merge(bad: get("/failing"), silent: get("/silent")) { |*| nil } }
    assert_equal 500, error.status
    assert @server.requests.find { |request| request.path == "/silent" }&.wait_gone
  end

  def test_errors_may_be_yielded_and_the_others_go_on
    seen = Hash.new { |hash, name| hash[name] = [] }
    sources = { cut: get("/broken"), fine: numbers(3, 0.02), nobody: Streamer::Request.new("GET", Upstream.refused_url) }
    Streamer.merge(sources, on_error: :yield) { |name, event| seen[name] << (event.is_a?(Streamer::Error) ? event.class : event.data) }
    assert_equal({ cut: ["first", Streamer::ClosedError], fine: %w[0 1 2], nobody: [Streamer::ConnectError] }, seen)
  end

  def test_an_error_of_the_block_is_the_block_s
    assert_raises(Streamer::BrowserDisconnectedError) do
      Streamer.merge({ a: numbers(3), b: get("/stall") }, on_error: :yield) { raise Streamer::BrowserDisconnectedError, "gone" }
    end
  end

  def test_what_a_call_raises_and_is_no_error_of_an_upstream_ends_it
    assert_raises(ZeroDivisionError) { Streamer.merge({ a: -> { 1 / 0 }, b: get("/stall") }, on_error: :yield) { |*| nil } }
  end

  def test_a_block_that_breaks_cancels_the_others_at_once
    # Many times, because it matters where the others stand: one may have its answer's head and not have begun to read.
    20.times { Streamer.merge(a: get("/stall"), b: get("/stall"), silent: get("/silent")) { break } }
    assert_all_gone
  end

  def test_a_flood_does_not_keep_the_others_from_their_turn
    @server.on("/flood") { |exchange| exchange.stream((0..).lazy.map { |number| "data: #{number} #{"x" * 1000}\n\n" }) }
    quick = 0
    Streamer.merge(flood: get("/flood"), quick: numbers(20)) do |name, _|
      break if name == :quick && (quick += 1) == 20
    end
    assert_equal 20, quick
  end

  def test_a_slow_block_slows_every_upstream
    sent = {}
    @server.on("/endless") do |exchange|
      sent[exchange.request.query["name"]] = exchange
      exchange.stream((0..).lazy.map { |number| "data: #{number} #{"x" * 10_000}\n\n" })
    end
    taken = 0
    Streamer.merge(a: get("/endless?name=a"), b: get("/endless?name=b")) do
      sleep 0.02
      break if (taken += 1) == 20
    end
    assert_operator sent.values.sum(&:sent), :<, 64 << 20
  end

  def test_wrong_arguments_are_named
    assert_match(/block/, assert_raises(ArgumentError) { Streamer.merge(a: numbers(1)) }.message)
    assert_match(/limit.*0/, assert_raises(ArgumentError) { Streamer.merge({ a: numbers(1) }, limit: 0) { |*| nil } }.message)
    assert_match(/on_error/, assert_raises(ArgumentError) { Streamer.merge({ a: numbers(1) }, on_error: :ignore) { |*| nil } }.message)
    assert_match(/source a .*String/, assert_raises(ArgumentError) { Streamer.merge({ a: "http://x/" }) { |*| nil } }.message)
    assert_match(/Array/, assert_raises(ArgumentError) { Streamer.merge([numbers(1)]) { |*| nil } }.message)
  end

  def test_nothing_at_all_is_no_wait
    assert_nil Streamer.merge({}) { |*| flunk }
  end

  private

  def assert_all_gone
    @server.requests.each { |request| assert request.wait_gone, "#{request.path} is still open" }
  end
end

class MergeOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include MergeTests

  def test_a_timeout_ends_it_and_what_is_open
    assert_raises(Timeout::Error) { Timeout.timeout(0.2) { Streamer.merge(a: get("/stall"), b: get("/silent")) { |*| nil } } }
    assert_all_gone
  end

  def test_a_killed_thread_leaves_nothing_open
    thread = Thread.new { Streamer.merge(a: get("/stall"), b: get("/silent")) { |*| nil } }
    @server.wait_request(2)
    thread.kill.join
    assert_all_gone
  end

  def test_no_thread_is_started
    before = Thread.list
    started = nil
    Streamer.merge(a: get("/stall"), b: get("/stall")) do
      started = (Thread.list - before).reject { |thread| thread.inspect.include?("upstream.rb") }
      break
    end
    assert_empty started
  end
end

class MergeInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include MergeTests
end

class MergeInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include MergeTests

  def test_a_stopped_task_leaves_nothing_open
    task = Async { Streamer.merge(a: get("/stall"), b: get("/silent")) { |*| nil } }
    @server.wait_request(2)
    task.stop
    assert_all_gone
  end

  def test_a_task_s_own_timeout_ends_it
    assert_raises(Async::TimeoutError) do
      Async::Task.current.with_timeout(0.2) { Streamer.merge(a: get("/stall"), b: get("/silent")) { |*| nil } }
    end
    assert_all_gone
  end
end
