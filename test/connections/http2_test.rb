# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "support/proxy"

# HTTP/2 as nginx speaks it: many requests over one connection, each with a fate of its own.
module HTTP2Tests
  def setup
    @upstream = upstream { |exchange| exchange.openai(tokens: 3) }
    @upstream.on("/stalled") { |exchange| exchange.head.chunk("data: a\n\n").stall }
    @upstream.on("/paced") { |exchange| exchange.head.tap { 200.times { exchange.chunk("data: a\n\n").pause(0.05) } }.finish }
    @upstream.on("/reset") { |exchange| exchange.head.chunk("data: a\n\n").tap { sleep 0.002 until @seen }.reset }
    @upstream.on("/large") { |exchange| exchange.head.tap { 2000.times { exchange.chunk("data: #{"x" * 8000}\n\n") } }.finish }
  end

  def teardown
    Streamer.limits = {}
    super
  end

  def test_an_event_stream
    front
    response = @client.get("/")
    assert_equal 4, response.each_event.count
    assert_equal "2.0", response.timings[:http_version]
  end

  def test_many_requests_over_one_connection
    front
    held = Array.new(20) { @client.get("/stalled") }
    assert_equal 1, connections(held).size
    held.each(&:cancel)
  end

  # Only then is it known that the origin speaks HTTP/2; before, each would wait for the one in front of it.
  def test_parallel_requests_share_the_connection_from_the_first_answer_on
    front
    @client.get("/").read
    assert_equal 1, connections(Array.new(12) { beside { @client.get("/").tap(&:read) } }.map(&:value)).size
  end

  def test_cancelling_one_leaves_the_others_and_the_connection
    front
    held = Array.new(3) { @client.get("/stalled") }
    cancelled = @upstream.requests[1]
    held[1].cancel
    assert_equal "2.0", held[1].transfer.finish[:http_version]
    assert cancelled.wait_gone, "the upstream never saw the client leave"
    assert_equal connections(held), connections([@client.get("/").tap(&:read)])
    refute @upstream.requests[0].gone? || @upstream.requests[2].gone?
    held.each(&:cancel)
  end

  def test_a_cancelled_one_that_is_alone_is_told_to_the_upstream
    front
    3.times do
      @client.get("/stalled").each_event { break }
      assert @upstream.requests.last.wait_gone, "the upstream never saw the client leave"
      assert_raises(Streamer::IdleTimeoutError) { @client.get("/stalled", timeouts: { idle: 0.5 }).each_event { |event| event } }
      assert @upstream.requests.last.wait_gone, "the upstream never saw the client leave"
    end
  end

  # The others go on, because nginx (1.22) sends a reset with the next frame only.
  def test_a_stream_that_is_reset_leaves_the_others
    front
    held = @client.get("/paced")
    error = assert_raises(Streamer::ClosedError) { @client.get("/reset").each_event { @seen = true } }
    assert_equal 1, error.delivered
    assert_equal connections([held]), connections([@client.get("/").tap(&:read)])
    held.cancel
  end

  def test_a_reader_that_is_slow_holds_up_itself_alone
    front
    slow = @client.get("/large")
    sleep 0.2
    8.times { assert_equal 4, @client.get("/", timeouts: { total: 60 }).each_event.count }
    assert_equal 2000, slow.each_event.count
  end

  # keepalive_requests: then nginx says GOAWAY.
  def test_a_connection_that_the_server_retires
    front("keepalive_requests 3;")
    seen = Array.new(8) { @client.get("/").tap(&:read) } + Array.new(8) { beside { @client.get("/").tap(&:read) } }.map(&:value)
    assert_equal [200], seen.map(&:status).uniq
    assert_operator connections(seen).size, :>, 3
  end

  def test_more_streams_than_the_server_allows_on_a_connection
    front("http2_max_concurrent_streams 2;")
    held = Array.new(6) { @client.get("/stalled") }
    assert_equal 3, connections(held).size
    held.each(&:cancel)
  end

  def test_a_server_that_ends_ends_its_streams
    front
    response = @client.get("/stalled")
    seen = []
    reader = beside { response.each_event { |event| seen << event } }
    other = beside { @client.get("/stalled").each_event { |event| seen << event } }
    wait_until { seen.size == 2 }
    stop_front
    [reader, other].each { |stream| assert_equal 1, assert_raises(Streamer::ClosedError) { stream.value }.delivered }
    assert_raises(Streamer::ConnectError) { @client.get("/") }
  end

  def test_limits_count_requests_and_not_connections
    front
    Streamer.limits = { per_origin: 2 }
    held = Array.new(2) { @client.get("/stalled") }
    assert_equal 1, connections(held).size
    assert_raises(Streamer::QueueTimeoutError) { @client.get("/", timeouts: { queue: 0.2 }) }
    held.first.cancel
    assert_equal 200, @client.get("/").status
    held.last.cancel
  end

  private

  def front(settings = "")
    proxy = Upstream.without_scheduler { Proxy.http2(URI(@upstream.url).port, settings: settings) }
    @front = Front.new(proxy)
    (@stopped_at_the_end ||= []).unshift(@front)
    @client = Streamer::Client.new("https://localhost:#{proxy.port}", tls: { ca_file: Certificates.ca_file })
  end

  def stop_front = @front.stop

  def connections(responses) = responses.map { |response| response.headers["x-connection"] }.uniq

  # A proxy that may be stopped twice.
  class Front
    def initialize(proxy)
      @proxy = proxy
    end

    def stop
      proxy, @proxy = @proxy, nil
      Upstream.without_scheduler { proxy.stop } if proxy
    end
  end
end

class HTTP2OnThreadsTest < Minitest::Test
  include Contexts::Threads
  include HTTP2Tests
end

class HTTP2InASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include HTTP2Tests
end

class HTTP2InAsyncTest < Minitest::Test
  include Contexts::InAsync
  include HTTP2Tests
end
