# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "support/fault_server"

# What an HTTP/1.1 server may do at any moment, and what it should not.
module HTTP1FaultTests
  OK = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
  A = "#{OK}content-length: 9\r\n\r\ndata: a\n\n"
  TOO_LARGE = "HTTP/1.1 413 Content Too Large\r\ncontent-type: text/plain\r\ncontent-length: 9\r\nconnection: close\r\n\r\ntoo large"

  # --- uploads ---

  def test_a_response_while_the_request_is_uploaded_and_then_the_end
    serve do |connection|
      connection.read_head
      connection.write(TOO_LARGE)
      connection.socket.close_write if connection.number.odd? # the even ones leave unread what comes: RST
    end
    4.times do
      response = @client.post("/", body: "x" * 2_000_000)
      assert_equal [413, "too large"], [response.status, response.read]
    end
    assert_equal 4, @server.connections
  end

  def test_a_response_while_a_body_of_unknown_length_is_uploaded
    serve do |connection|
      connection.read_head
      connection.write(TOO_LARGE)
      connection.wait_gone
    end
    endless = Object.new
    def endless.read(_length) = "x".tap { sleep 0.005 }
    response = @client.post("/", body: endless)
    assert_equal [413, "too large"], [response.status, response.read]
  end

  # A connection on which half a request has gone is not used again.
  def test_a_response_that_keeps_the_connection_before_the_upload_ended
    serve do |connection|
      connection.read_head
      connection.write(A)
      @proceed.pop if connection.number == 1 # nobody reads more than the system takes
      answer_all(connection)
    end
    assert_equal ["a"], events(@client.post("/", body: "x" * 30_000_000))
    assert_equal ["a"], get
    @proceed << true
    assert_equal 2, @server.connections
  end

  def test_100_continue_with_and_without_being_asked_for
    serve do |connection|
      while (fields = connection.read_head&.last)
        connection.write("HTTP/1.1 100 Continue\r\n\r\n")
        connection.socket.read(fields["content-length"].to_i)
        connection.write("HTTP/1.1 100\r\n\r\n#{A}")
      end
    end
    assert_equal ["a"], events(@client.post("/", body: "x" * 200_000, headers: { "expect" => "100-continue" }))
    assert_equal ["a"], events(@client.post("/", body: "x" * 200_000))
    assert_equal 1, @server.connections
  end

  def test_an_upload_that_nobody_reads_ends_with_its_timeout
    serve { |connection| connection.read_head && sleep }
    error = assert_raises(Streamer::TimeoutError) { @client.post("/", body: "x" * 8_000_000, timeouts: { idle: 0.5 }) }
    assert_kind_of Streamer::IdleTimeoutError, error
  end

  def test_an_upload_that_is_reset
    serve { |connection| connection.read_head && connection.reset }
    assert_raises(Streamer::ClosedError) { @client.post("/", body: "x" * 2_000_000) }
    assert_equal 1, @server.connections
  end

  # --- idle connections ---

  def test_bytes_on_an_idle_connection_end_it_and_are_nobodys_response
    said = Thread::Queue.new
    serve do |connection|
      connection.read_head
      connection.write(A)
      connection.socket.flush
      if connection.number == 1
        proceed(connection) { connection.write("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n") }
        said << true
      end
      answer_all(connection)
    end
    assert_equal ["a"], get
    @proceed << true
    said.pop
    assert_equal [200, 200], Array.new(2) { @client.post("/", json: {}).tap(&:read).status }
    assert_equal 2, @server.connections
  end

  def test_a_response_behind_a_response_is_nobodys
    serve do |connection|
      connection.read_head
      connection.write(A + A.sub("data: a", "data: b"))
      answer_all(connection)
    end
    3.times { assert_equal ["a"], get }
    assert_equal 3, @server.connections
  end

  # It closed, without a byte in return, a connection that had been used: only what is idempotent is sent again.
  def test_a_request_that_a_used_connection_never_answered
    arrived = Thread::Queue.new
    serve do |connection|
      connection.read_head
      connection.write(A)
      arrived << connection.read_head
      connection.number.even? ? connection.reset : connection.cut
    end
    2.times do
      get
      assert_raises(Streamer::ClosedError) { @client.post("/", json: {}) }
    end
    assert_equal [2, 2], [@server.connections, arrived.size]
    2.times { get }
    assert_equal ["a"], get
    assert_operator @server.connections, :<=, 5
  end

  def test_a_new_connection_that_is_closed_upon_a_request_is_an_error_for_any_method
    serve { |connection| connection.read_head && connection.cut }
    assert_raises(Streamer::ClosedError) { get }
    assert_raises(Streamer::ClosedError) { @client.post("/", json: {}) }
    assert_equal 2, @server.connections
  end

  def test_an_answer_that_began_is_never_asked_for_again
    serve do |connection|
      connection.read_head
      connection.write(A)
      connection.read_head
      connection.write("HTTP/1.1 2").cut
    end
    get
    assert_raises(Streamer::ClosedError) { get }
    assert_equal 1, @server.connections
  end

  # --- slow heads ---

  def test_a_slow_head_is_waited_for_as_long_as_bytes_come
    serve do |connection|
      connection.read_head
      "HTTP/1.1 103 Early Hints\r\n\r\n#{A}".scan(/.{1,8}/m) { |part| connection.write(part) && sleep(0.02) }
    end
    assert_equal ["a"], events(@client.get("/", timeouts: { idle: 0.25 }))
  end

  def test_a_head_that_stops_is_an_idle_timeout
    serve { |connection| connection.read_head && connection.write(OK) && sleep }
    assert_raises(Streamer::IdleTimeoutError) { @client.get("/", timeouts: { idle: 0.2 }) }
  end

  def test_informational_heads_for_ever
    serve do |connection|
      connection.read_head
      loop { connection.write("HTTP/1.1 103 Early Hints\r\nlink: #{"x" * 500}\r\n\r\n") }
    end
    assert_raises(Streamer::HeadersTooLargeError) { get }
  end

  # --- ends ---

  def test_a_body_until_the_end_of_the_connection_by_fin_and_by_rst
    serve do |connection|
      connection.read_head
      connection.write("#{OK}\r\ndata: a\n\n")
      proceed(connection) { connection.number == 1 ? connection.cut : connection.reset }
    end
    seen = []
    @client.get("/").each_event { |event| (seen << event.data) && (@proceed << true) }
    assert_equal ["a"], seen
    error = assert_raises(Streamer::ClosedError) { @client.get("/").each_event { @proceed << true } }
    assert_equal 1, error.delivered
  end

  def test_http_1_0_as_old_servers_speak_it
    serve do |connection|
      connection.read_head
      connection.write("HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: a\n\ndata: b\n\n").cut
    end
    responses = Array.new(2) { @client.get("/") }
    assert_equal [%w[a b]] * 2, responses.map { |response| events(response) }
    assert_equal ["1.0"], responses.map { |response| response.timings[:http_version] }.uniq
  end

  def test_head_has_no_body_whatever_its_fields_say
    serve do |connection|
      connection.write("#{OK}content-length: 1000\r\n\r\n") while connection.read_head
    end
    assert_equal ["", ""], Array.new(2) { @client.head("/").read }
    assert_equal 1, @server.connections
  end

  # TLS's close_notify is what tells an end from a cut.
  def test_a_body_until_the_end_over_tls_with_and_without_close_notify
    @server = FaultServer::HTTP1.new(alpn: ["http/1.1"]) do |connection|
      connection.read_head
      connection.write("#{OK}\r\ndata: a\n\n")
      proceed(connection) { connection.number == 1 ? connection.socket.close : connection.cut }
    end
    (@stopped_at_the_end ||= []) << @server
    @proceed = Thread::Queue.new
    client = @server.client
    seen = []
    client.get("/").each_event { |event| (seen << event.data) && (@proceed << true) }
    assert_equal ["a"], seen
    assert_raises(Streamer::ClosedError) { client.get("/").each_event { @proceed << true } }
  end

  def test_faults_leak_no_descriptors
    serve do |connection|
      line, = connection.read_head
      case line
      when /garbage/ then connection.write("garbage\r\n\r\n")
      when /reset/ then connection.write(OK).reset
      when /close/ then connection.write(A[0..-3].to_s).cut
      else answer_all(connection.write(A))
      end
    end
    paths = %w[/garbage /reset /close]
    paths.each { |path| assert_raises(Streamer::ConnectionError) { get(path) } }
    before = nil
    wait_until { before == (before = descriptors) }
    20.times { paths.each { |path| assert_raises(Streamer::ConnectionError) { get(path) } } }
    wait_until { descriptors <= before }
    assert_equal ["a"], get
  end

  private

  def serve(&script)
    @proceed = Thread::Queue.new
    @server = FaultServer::HTTP1.new(&script)
    (@stopped_at_the_end ||= []) << @server
    @client = @server.client
  end

  def answer_all(connection)
    connection.write(A) while connection.read_head
  end

  # Once the test says so.
  def proceed(_connection)
    @proceed.pop
    yield
  end

  def descriptors = Upstream.without_scheduler { Dir.children("/proc/self/fd").size }
  def events(response) = response.each_event.map(&:data)
  def get(path = "/") = events(@client.get(path))
end

class HTTP1FaultsOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include HTTP1FaultTests
end

class HTTP1FaultsInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include HTTP1FaultTests
end
