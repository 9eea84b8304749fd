# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# The timeouts, all of our own making: each fires when it should, and none when it should not. That of the queue is in limits_test.rb.
module TimeoutTests
  def setup
    @upstream = upstream { |exchange| exchange.openai(tokens: 1) }
  end

  def test_connect
    Upstream.blackhole do |url|
      error = timeout(Streamer::ConnectTimeoutError, 0.2) { Streamer::Client.new(url, timeouts: { connect: 0.2 }).get("/").read }
      assert_equal "GET #{url}/", error.request
    end
  end

  # A scheduler that is waited in without a timeout is another path, for one.
  def test_none_at_all
    off = Streamer::Request::TIMEOUTS.transform_values { nil }
    @upstream.on("/slow") { |exchange| exchange.head.pause(0.2).chunk(Upstream.token(0)).finish }
    assert_equal 1, read("/slow", **off).size
  end

  def test_first_byte
    @upstream.on("/stall", &:stall)
    timeout(Streamer::FirstByteTimeoutError, 0.2) { read("/stall", first_byte: 0.2) }
    assert @upstream.wait_request.wait_gone, "the upstream never saw the client leave"
  end

  def test_first_byte_is_over_with_the_first_byte_of_the_head
    @upstream.on("/slow") { |exchange| exchange.raw("HTTP/1.1 200 OK\r\n").pause(1).raw("content-length: 0\r\n\r\n") }
    assert_empty read("/slow", first_byte: 0.6)
  end

  def test_first_byte_counts_from_the_sending
    Upstream.blackhole do |url|
      client = Streamer::Client.new(url, timeouts: { connect: 0.4, first_byte: 0.1 })
      timeout(Streamer::ConnectTimeoutError, 0.4) { client.get("/").read }
    end
  end

  def test_first_event_before_the_head
    @upstream.on("/stall", &:stall)
    timeout(Streamer::FirstEventTimeoutError, 0.5) { read("/stall", first_event: 0.5) }
    assert @upstream.wait_request.wait_gone, "the upstream never saw the client leave"
  end

  def test_first_event_after_the_head
    @upstream.on("/stall") { |exchange| exchange.head.stall }
    timeout(Streamer::FirstEventTimeoutError, 0.2) { read("/stall", first_event: 0.2) }
  end

  def test_first_event_is_not_met_by_comments
    @upstream.on("/pings") do |exchange|
      exchange.head
      loop { exchange.chunk(": ping\n\n").pause(0.02) }
    end
    timeout(Streamer::FirstEventTimeoutError, 0.2) { read("/pings", first_event: 0.2) }
  end

  def test_first_event_is_not_met_by_events_that_say_nothing
    keep_alive
    timeout(Streamer::FirstEventTimeoutError, 0.2) { read("/keep-alive", first_event: 0.2) }
    timeout(Streamer::FirstEventTimeoutError, 0.2) { values("/keep-alive", first_event: 0.2) }
    timeout(Streamer::FirstEventTimeoutError, 0.2) { frames("/keep-alive", first_event: 0.2) }
  end

  def test_first_event_is_over_with_the_first_event
    @upstream.on("/slow") { |exchange| exchange.head.chunk("data: a\n\n").pause(0.8).chunk("data: b\n\n").finish }
    assert_equal %w[a b], read("/slow", first_event: 0.6)
  end

  def test_first_event_also_guards_values
    @upstream.on("/stall") { |exchange| exchange.head.stall }
    client = Streamer::Client.new(@upstream.url, timeouts: { first_event: 0.2 })
    timeout(Streamer::FirstEventTimeoutError, 0.2) { client.get("/stall").each_value("a") { flunk } }
  end

  def test_idle_within_the_body
    @upstream.on("/stall") { |exchange| exchange.head.chunk("data: a\n\n").stall }
    error = timeout(Streamer::IdleTimeoutError, 0.6) { read("/stall", idle: 0.6) }
    assert_equal [1, ["a"]], [error.delivered, @seen]
    assert @upstream.requests.first.wait_gone, "the upstream never saw the client leave"
  end

  def test_idle_before_the_head
    @upstream.on("/stall", &:stall)
    timeout(Streamer::IdleTimeoutError, 0.2) { read("/stall", idle: 0.2) }
  end

  def test_idle_starts_again_with_each_read
    @upstream.on("/slow") { |exchange| exchange.openai(tokens: 4, every: 0.3) }
    assert_equal 5, read("/slow", idle: 0.9).size
  end

  def test_idle_does_not_count_the_time_that_the_block_takes
    @upstream.on("/two") { |exchange| exchange.stream(["data: a\n\n", "data: b\n\n"], every: 0.1) }
    seen = []
    Streamer::Client.new(@upstream.url, timeouts: { idle: 0.6 }).get("/two").each_event do |event|
      seen << event.data
      sleep 0.8
    end
    assert_equal %w[a b], seen
  end

  def test_event_idle_sees_through_what_only_keeps_alive
    keep_alive("data: {\"a\":1}\n\n")
    error = timeout(Streamer::EventIdleTimeoutError, 1) { read("/keep-alive", event_idle: 1, idle: 0.8) }
    assert_operator error.delivered, :>, 1
    assert @upstream.requests.first.wait_gone, "the upstream never saw the client leave"
    timeout(Streamer::EventIdleTimeoutError, 0.3) { values("/keep-alive", event_idle: 0.3) }
    timeout(Streamer::EventIdleTimeoutError, 0.3) { frames("/keep-alive", event_idle: 0.3) }
  end

  def test_event_idle_begins_with_the_first_event_and_again_with_each
    @upstream.on("/slow") do |exchange|
      exchange.head.pause(1)
      4.times { |number| exchange.chunk("data: #{number}\n\n").pause(0.25) }
      exchange.finish
    end
    assert_equal %w[0 1 2 3], read("/slow", event_idle: 0.8)
  end

  def test_event_idle_does_not_count_the_time_that_the_block_takes
    @upstream.on("/two") { |exchange| exchange.stream(["data: a\n\n", "data: b\n\n"], every: 0.1) }
    client = Streamer::Client.new(@upstream.url, timeouts: { event_idle: 0.6, first_event: 0.6 })
    seen = []
    client.get("/two").each_event { |event| (seen << event.data) && sleep(0.8) }
    client.get("/two").each_frames(Streamer::Pipeline.new) { |frames| (seen << frames) && sleep(0.8) }
    assert_equal ["a", "b", "data: a\n\n", "data: b\n\n"], seen
  end

  def test_first_event_does_not_count_the_time_that_the_block_takes
    @upstream.on("/two") { |exchange| exchange.stream(["data: {\"a\":1}\n\n", "data: {\"a\":2}\n\n"], every: 0.1) }
    seen = []
    Streamer::Client.new(@upstream.url, timeouts: { first_event: 0.6 }).get("/two").each_value("a") { |value| (seen << value) && sleep(0.8) }
    assert_equal [1, 2], seen
  end

  def test_total
    @upstream.on("/endless") { |exchange| exchange.openai(tokens: 1000, every: 0.02) }
    error = timeout(Streamer::TotalTimeoutError, 0.6) { read("/endless", total: 0.6) }
    assert_operator error.delivered, :>, 1
    assert_equal error.delivered, @seen.size
    assert @upstream.requests.first.wait_gone, "the upstream never saw the client leave"
  end

  def test_total_covers_a_slow_head
    @upstream.on("/slow") { |exchange| exchange.slow_head(every: 0.02) }
    timeout(Streamer::TotalTimeoutError, 0.25) { read("/slow", total: 0.25) }
  end

  def test_a_request_may_change_its_clients_timeouts
    @upstream.on("/stall") { |exchange| exchange.head.stall }
    client = Streamer::Client.new(@upstream.url, timeouts: { idle: 30 })
    timeout(Streamer::IdleTimeoutError, 0.2) { client.get("/stall", timeouts: { idle: 0.2 }).each_event { flunk } }
  end

  def test_nil_and_zero_switch_a_timeout_off
    @upstream.on("/slow") { |exchange| exchange.openai(tokens: 2, every: 0.2) }
    assert_equal 3, read("/slow", connect: nil, first_event: 0, idle: nil, total: 0).size
  end

  def test_a_timeout_that_is_none_is_refused
    [{ idle: -1 }, { idle: "5" }, { total: Float::INFINITY }, { total: 1e16 }, { read: 5 }].each do |timeouts|
      assert_raises(ArgumentError, timeouts.inspect) { Streamer::Client.new(@upstream.url, timeouts: timeouts) }
    end
  end

  private

  # Events if any, and then what keeps a connection alive and says nothing.
  def keep_alive(*events)
    @upstream.on("/keep-alive") do |exchange|
      exchange.head
      events.each { |event| exchange.chunk(event) }
      loop { exchange.chunk(": comment\n\nevent: ping\ndata: {}\n\nevent: status\ndata\n\n").pause(0.05) }
    end
  end

  def values(path, **timeouts)
    Streamer::Client.new(@upstream.url, timeouts: timeouts).get(path).each_value("b") { flunk }
  end

  def frames(path, **timeouts)
    Streamer::Client.new(@upstream.url, timeouts: timeouts).get(path).each_frames(Streamer::Pipeline.new(value: "b")) { flunk }
  end

  def read(path, **timeouts)
    @seen = []
    Streamer::Client.new(@upstream.url, timeouts: timeouts).get(path).each_event { |event| @seen << event.data }
    @seen
  end

  # Not before its time, and not much later: a busy machine may take a while.
  def timeout(error_class, after, &block)
    error = nil
    took = seconds { error = assert_raises(error_class, &block) }
    assert_kind_of Streamer::TimeoutError, error
    assert_includes (after - 0.05)..(after + 5), took, "#{error_class} after #{took.round(3)} s"
    error
  end
end

class TimeoutsOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include TimeoutTests
end

class TimeoutsInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include TimeoutTests
end

class TimeoutsInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include TimeoutTests
end
