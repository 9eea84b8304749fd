# frozen_string_literal: true

require "test_helper"
require "socket"
require "active_support/notifications" # as the next one not inside a task: async 2.24 on Ruby 3.1 cannot load files there
require "streamer/sinks/socket"
require "support/contexts"

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

  # A slow reader's: what the kernel has not sent yet when the socket is closed is lost with a reset.
  def test_what_the_browser_sent_behind_its_request_does_not_cut_the_stream
    server = TCPServer.new("127.0.0.1", 0)
    browser = Socket.new(:INET, :STREAM)
    browser.setsockopt(:SOCKET, :RCVBUF, 4096)
    browser.connect(server.local_address)
    @server = server.accept
    browser.write("GET /next HTTP/1.1\r\n\r\n")
    open_sink(chunked: false).write("x" * 30_000)
    @sink.close

    assert_equal 30_000, browser.read.bytesize
  ensure
    [browser, server].compact.each(&:close)
  end

  def test_the_servers_descriptor_is_given_up
    open_sink

    assert_predicate @server, :closed?
    assert_predicate @sink, :connected?
  end

  def test_silence_is_filled_with_comments
    open_sink(chunked: false, heartbeat: 0.05)

    assert @browser.wait_readable(20)
    assert_equal ":\n\n", @browser.readpartial(3)
  end

  def test_a_browser_that_left_is_noticed_without_a_write
    open_sink
    @browser.close
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 20
    sleep 0.005 while @sink.connected? && Process.clock_gettime(Process::CLOCK_MONOTONIC) < deadline

    refute_predicate @sink, :connected?
    assert_raises(Streamer::BrowserDisconnectedError) { @sink.write("x") }
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

  private

  def received
    text = +""
    loop do
      raise "nothing for 20 s" unless @browser.wait_readable(20)

      text << @browser.readpartial(65_536)
    end
  rescue EOFError
    text
  end
end

# Where the upstream's answer comes from: sent by the sink or by the caller, by the native thread or by a fiber scheduler's driver.
module SocketSinkRelayTests
  PLAN = { value: "choices.0.delta.content", event: "token" }.freeze

  def setup
    super
    @browser, server = UNIXSocket.pair
    @sink = Streamer::Sinks::Socket.new(server, chunked: false, heartbeat: nil)
  end

  def teardown
    @sink.close
    @browser.close unless @browser.closed?
    super
  end

  def test_a_request_is_relayed
    assert_equal tokens(3), relayed(request(upstream { |exchange| exchange.openai(tokens: 3) }))
  end

  def test_a_response_is_relayed
    assert_equal tokens(3), relayed(request(upstream { |exchange| exchange.openai(tokens: 3) }).call)
  end

  # The end of such an answer once left a timer of freed memory in the reactor, which then served nobody.
  def test_responses_that_are_over_before_their_relays_begin_harm_nobody
    source = upstream { |exchange| exchange.openai(tokens: 3) }
    40.times do
      response = request(source).call
      sleep 0.01
      relay(response)
      GC.start
    end

    assert_equal tokens(3) * 40, received
  end

  def test_a_request_whose_body_is_read_from_an_io_is_relayed
    source = upstream { |exchange| exchange.openai(tokens: exchange.request.body.bytesize) }

    assert_equal tokens(4), relayed(request(source, method: "POST", body: StringIO.new("1234")))
  end

  def test_redirects_are_followed
    source = upstream { |exchange| exchange.openai(tokens: 3) }
    source.on("/moved") { |exchange| exchange.redirect("/") }

    assert_equal tokens(3), relayed(request(source, path: "/moved"))
  end

  def test_a_refused_request_is_sent_again
    source = refusing(times: 2, "retry-after-ms": 20)

    assert_equal tokens(3), relayed(request(source, retries: 2))
    assert_equal 3, source.requests.size
  end

  def test_the_last_refusal_is_the_error
    source = refusing(times: 9, "retry-after-ms": 20)

    assert_equal 503, assert_raises(Streamer::ResponseError) { relay(request(source, retries: 1)) }.status
    assert_equal 2, source.requests.size
  end

  def test_a_browser_that_leaves_between_two_attempts_ends_the_wait
    source = refusing(times: 9, "retry-after": 30)
    relaying = beside { assert_raises(Streamer::BrowserDisconnectedError) { relay(request(source, retries: 1)) } }
    source.wait_request
    sleep 0.1
    @browser.close

    assert relaying.value
    assert_equal 1, source.requests.size
  end

  def test_an_open_circuit_is_believed
    source = refusing(times: 9)
    circuit = Streamer::CircuitBreaker.new(error_threshold: 1, error_timeout: 60)
    assert_raises(Streamer::ResponseError) { relay(request(source, circuit: circuit)) }
    assert_raises(Streamer::CircuitOpenError) { relay(request(source, circuit: circuit)) }

    assert_equal 1, source.requests.size
  end

  def test_an_answer_that_is_no_success_is_an_error
    source = upstream { |exchange| exchange.answer("slow down", status: 429) }
    [request(source), request(source).call].each do |refused|
      error = assert_raises(Streamer::ResponseError) { relay(refused) }

      assert_equal [429, "slow down"], [error.status, error.body]
    end
  end

  def test_what_had_arrived_comes_before_the_error
    source = upstream { |exchange| exchange.head.chunk(Upstream.token(0)).close }

    assert_raises(Streamer::ClosedError) { relay(request(source).call) }
    assert_equal tokens(1), received
  end

  def test_a_browser_that_leaves_ends_a_silent_upstream
    [->(source) { request(source) }, ->(source) { request(source).call }].each do |way|
      setup if @browser.closed?
      source = upstream { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
      relaying = beside { assert_raises(Streamer::BrowserDisconnectedError) { relay(way.call(source)) } }
      @browser.wait_readable(20)
      @browser.close

      assert relaying.value
      assert source.requests.last.wait_gone, "the upstream was not let go"
    end
  end

  def test_a_browser_that_leaves_before_there_is_an_answer_ends_the_request
    source = upstream(&:stall)
    relaying = beside { assert_raises(Streamer::BrowserDisconnectedError) { relay(request(source)) } }
    asked = source.wait_request
    @browser.close

    assert relaying.value
    assert asked.wait_gone, "the upstream was not let go"
  end

  def test_several_relays_at_once_all_end_when_the_browser_leaves
    source = upstream { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    relaying = Array.new(3) { beside { assert_raises(Streamer::BrowserDisconnectedError) { relay(request(source)) } } }
    source.wait_request(3)
    @browser.close

    assert_equal [true] * 3, relaying.map { |relay| !relay.value.nil? }
    assert(source.requests.all?(&:wait_gone), "an upstream was not let go")
  end

  def test_several_relays_at_once_all_go_on_when_a_slow_browser_reads
    source = upstream do |exchange|
      exchange.head
      60.times { |number| exchange.chunk(Upstream.token(number, "x" * 20_000)) }
      exchange.finish
    end
    relaying = Array.new(3) { beside { relay(request(source)) } }
    source.wait_request(3)
    sleep 0.1 # all are held up by the browser
    bytes = +""
    reader = Thread.new { Upstream.without_scheduler { bytes << @browser.readpartial(65_536) while bytes.scan("event: token").size < 180 } }
    relaying.each(&:value)

    assert reader.join(20), "frames are missing"
    assert_equal 180, bytes.scan("event: token").size
  end

  def test_a_relay_can_be_given_lower_ceilings
    source = upstream { |exchange| exchange.stream(["data: {\"choices\":[{\"delta\":{\"content\":\"#{"x" * 3000}\"}}]}\n\n"]) }
    { max_line: Streamer::LineTooLongError, max_event: Streamer::EventTooLargeError }.each do |name, type|
      [->(upstream) { upstream }, :call.to_proc].each do |way|
        options = Streamer::Relay::Options.new(**PLAN, max_line: 4000, max_event: 4000, name => 2000)
        assert_raises(type) { @sink.relay(way.call(request(source)), options) }
      end
    end
  end

  private

  def request(source, path: "/", method: "GET", **options) = Streamer::Request.new(method, source.url(path), **options)

  def refusing(times:, **headers)
    refused = 0
    upstream do |exchange|
      (refused += 1) > times ? exchange.openai(tokens: 3) : exchange.answer("later", status: 503, headers: headers)
    end
  end

  def relay(upstream) = @sink.relay(upstream, Streamer::Relay::Options.new(**PLAN))

  def relayed(upstream)
    relay(upstream)
    received
  end

  def tokens(count) = Array.new(count) { |number| "event: token\ndata: {\"content\":\"t#{number} \"}\n\n" }.join

  # Everything, to the stream's end.
  def received
    @sink.close
    Upstream.without_scheduler { @browser.read }
  end
end

class SocketSinkRelayTest < Minitest::Test
  include Contexts::Threads
  include SocketSinkRelayTests
end

class SocketSinkScheduledRelayTest < Minitest::Test
  include Contexts::Scheduled
  include SocketSinkRelayTests
end

class SocketSinkAsyncRelayTest < Minitest::Test
  include Contexts::InAsync
  include SocketSinkRelayTests
end
