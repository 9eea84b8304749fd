# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "support/fault_server"

# A server that speaks HTTP/2 by hand, and does what a server should not.
module HTTP2FaultTests
  NO_ERROR = 0
  REFUSED_STREAM = 7
  CODES = { 1 => "PROTOCOL_ERROR", 2 => "INTERNAL_ERROR", 3 => "FLOW_CONTROL_ERROR", 4 => "SETTINGS_TIMEOUT", 5 => "STREAM_CLOSED",
            6 => "FRAME_SIZE_ERROR", 8 => "CANCEL", 9 => "COMPRESSION_ERROR", 10 => "CONNECT_ERROR", 11 => "ENHANCE_YOUR_CALM",
            12 => "INADEQUATE_SECURITY", 13 => "HTTP_1_1_REQUIRED", 0xbad => "0xbad" }.freeze

  # --- GOAWAY ---

  def test_goaway_before_any_stream_has_requests_sent_on_another_connection
    serve do |connection|
      connection.goaway(0) if connection.number == 1
      respond_to_all(connection)
    end
    assert_equal ["a"], post
    assert_equal 2, @server.connections
  end

  def test_requests_above_goaways_last_stream_are_sent_again_whatever_their_method
    methods = Thread::Queue.new
    serve do |connection|
      if connection.number == 1
        2.times { methods << connection.request.method }
        connection.goaway(0).wait_gone
      else
        respond_to_all(connection) { |request| methods << request.method }
      end
    end
    assert_equal [["a"], ["a"]], [beside { post }, beside { get }].map(&:value)
    assert_equal %w[GET GET POST POST], Array.new(4) { methods.pop }.sort
  end

  def test_requests_up_to_goaways_last_stream_are_completed_on_its_connection
    serve do |connection|
      request = connection.request
      connection.goaway(request.stream) if connection.number == 1
      connection.barrier.respond(request.stream, "a", connection.number.to_s)
      connection.wait_gone
    end
    assert_equal %w[a 1], post
    assert_equal %w[a 2], post
  end

  def test_goaway_in_the_middle_of_a_body_leaves_it_and_takes_no_further_request
    go_on = Thread::Queue.new
    serve do |connection|
      request = connection.request
      connection.head(request.stream).event(request.stream, connection.number.to_s)
      if connection.number == 1
        connection.goaway(request.stream).barrier
        go_on.pop
      end
      connection.event(request.stream, "end").data(request.stream, "", last: true).wait_gone
    end
    seen = []
    @client.get("/").each_event do |event|
      seen << event.data
      if event.data == "1"
        assert_equal %w[2 end], get
        go_on << true
      end
    end
    assert_equal %w[1 end], seen
  end

  def test_goaway_in_the_middle_of_a_head
    serve do |connection|
      request = connection.request
      if connection.number == 1
        connection.frame(:headers, 0, request.stream, FaultServer::HTTP2Connection.fields(":status" => "200"))
        connection.goaway(request.stream)
      else
        connection.respond(request.stream, "a")
      end
      connection.wait_gone
    end
    assert_raises(Streamer::ProtocolError, Streamer::ClosedError) { post } # only CONTINUATION may follow
    assert_equal ["a"], get
  end

  def test_goaway_with_an_error_ends_what_it_names_and_repeats_what_it_does_not
    arrived = Thread::Queue.new
    serve do |connection|
      if connection.number == 1
        first = connection.request
        arrived << first
        connection.request
        connection.goaway(first.stream, 2).cut
      else
        respond_to_all(connection)
      end
    end
    first = beside { post }
    arrived.pop
    second = beside { post }
    assert_raises(Streamer::ClosedError) { first.value }
    assert_equal ["a"], second.value
  end

  def test_a_second_goaway_that_lowers_the_last_stream
    serve do |connection|
      if connection.number == 1
        connection.goaway(0x7fffffff)
        connection.request
        connection.goaway(0).wait_gone
      else
        respond_to_all(connection)
      end
    end
    assert_equal ["a"], post
  end

  # --- RST_STREAM ---

  CODES.each do |code, name|
    define_method(:"test_rst_stream_with_#{name.downcase}_before_and_after_the_head_is_a_closed_error_and_never_repeated") do
      arrived = Thread::Queue.new
      serve do |connection|
        loop do
          request = connection.request
          arrived << request
          connection.head(request.stream).event(request.stream, "a") if request.path == "/late"
          connection.rst_stream(request.stream, code)
        end
      end
      %w[/early /late].each do |path|
        error = assert_raises(Streamer::ClosedError) { @client.get(path).each_event { |event| event } }
        assert_match(/#{name}/, error.message)
        assert_operator error.delivered, :<=, path == "/early" ? 0 : 1
      end
      assert_equal [2, 1], [arrived.size, @server.connections]
    end
  end

  def test_a_refused_stream_is_sent_again_whatever_its_method_but_not_for_ever
    count = Thread::Queue.new
    serve do |connection|
      loop do
        request = connection.request
        count << request
        if request.path == "/refused" || count.size < 3
          connection.rst_stream(request.stream, REFUSED_STREAM)
        else
          connection.respond(request.stream, "a")
        end
      end
    end
    assert_equal ["a"], post
    assert_equal 3, count.size
    assert_raises(Streamer::ClosedError) { post("/refused") }
    assert_operator count.size, :<, 10
  end

  def test_rst_stream_no_error_is_a_cut_unless_the_response_was_complete
    serve do |connection|
      loop do
        request = connection.request
        case request.path
        when "/cut" then connection.head(request.stream).event(request.stream, "a").rst_stream(request.stream, NO_ERROR)
        when "/early" then connection.rst_stream(request.stream, NO_ERROR)
        else connection.respond(request.stream, "a").rst_stream(request.stream, NO_ERROR)
        end
      end
    end
    assert_raises(Streamer::ClosedError) { @client.get("/early") }
    assert_raises(Streamer::ClosedError) { @client.get("/cut").each_event { |event| event } }
    assert_equal ["a"], get("/whole")
  end

  # RFC 9113, section 8.1: a response that is complete before its request, which is then not wanted.
  def test_a_whole_response_before_the_upload_and_then_rst_stream_no_error
    serve do |connection|
      request = connection.request
      connection.head(request.stream, { ":status" => "413", "content-type" => "text/plain" }).data(request.stream, "too large", last: true)
      connection.rst_stream(request.stream, NO_ERROR)
      respond_to_all(connection)
    end
    response = @client.post("/", body: "x" * 1_000_000)
    assert_equal [413, "too large"], [response.status, response.read]
    assert_equal ["a"], get
    assert_equal 1, @server.connections
  end

  def test_a_reset_leaves_the_siblings_alone
    serve do |connection|
      streams = Array.new(3) { connection.request }.to_h { |request| [request.path, request.stream] }
      streams.each_value { |stream| connection.head(stream).event(stream, "1") }
      connection.rst_stream(streams["/b"], 2).barrier
      [streams["/a"], streams["/c"]].each { |stream| connection.event(stream, "2").data(stream, "", last: true) }
      connection.wait_gone
    end
    streams = %w[/a /b /c].to_h { |path| [path, beside { get(path) }] }
    assert_raises(Streamer::ClosedError) { streams["/b"].value }
    assert_equal [%w[1 2], %w[1 2]], streams.values_at("/a", "/c").map(&:value)
  end

  # --- SETTINGS ---

  def test_no_stream_allowed_for_now
    allow = Thread::Queue.new
    serve(settings: { max_concurrent_streams: 0 }) do |connection|
      connection.barrier
      allow.pop
      connection.settings(max_concurrent_streams: 1)
      respond_to_all(connection)
    end
    waiting = beside { post }
    wait_until { @server.connections == 1 }
    allow << true
    assert_equal ["a"], waiting.value
  end

  def test_one_stream_at_a_time
    serve(settings: { max_concurrent_streams: 1 }) { |connection| respond_to_all(connection) }
    assert_equal [["a"]], Array.new(6) { beside { post } }.map(&:value).uniq
  end

  def test_a_limit_that_is_lowered_under_way
    serve(settings: { max_concurrent_streams: 10 }) do |connection|
      first = connection.request
      connection.settings(max_concurrent_streams: 1)
      connection.barrier.head(first.stream).event(first.stream, "a").data(first.stream, "", last: true)
      respond_to_all(connection)
    end
    assert_equal ["a"], post
    assert_equal [["a"]], Array.new(4) { beside { post } }.map(&:value).uniq
  end

  # --- flow control ---

  def test_an_upload_waits_for_the_servers_window
    received = Thread::Queue.new
    serve(settings: { initial_window_size: 0 }) do |connection|
      first = connection.request
      connection.barrier.respond(first.stream, "a") # from here on the client knows the window
      request = connection.request
      received << connection.barrier.pending.map(&:type)
      body = +""
      until body.bytesize == 100_000
        connection.window_update(request.stream, 7000).window_update(0, 7000)
        body << connection.read(:data).payload
      end
      connection.respond(request.stream, body.bytesize.to_s)
      connection.wait_gone
    end
    get
    upload = beside { events(@client.post("/", body: "x" * 100_000)) }
    assert_equal [], received.pop
    assert_equal ["100000"], upload.value
  end

  def test_a_window_that_overflows_ends_its_stream_or_connection
    serve do |connection|
      loop do
        request = connection.request
        next connection.respond(request.stream, "a") unless request.path == "/overflow"

        connection.head(request.stream).window_update(request.stream, 0x7fffffff).window_update(request.stream, 0x7fffffff)
      end
    end
    assert_raises(Streamer::ClosedError, Streamer::ProtocolError) { get("/overflow") }
    assert_equal ["a"], get
  end

  def test_more_data_than_the_window_allows_ends_the_stream_or_the_connection
    ended = false
    serve do |connection|
      request = connection.request
      connection.head(request.stream)
      loop { connection.data(request.stream, "x" * 16_384) }
    ensure
      ended = true
    end
    response = @client.get("/greedy") # and nobody reads
    serve { |connection| respond_to_all(connection) }
    wait_until { get == ["a"] && ended }
    assert_raises(Streamer::ConnectionError) { response.read }
  end

  # --- abuse ---

  FLOODS = {
    ping: ->(connection, _) { connection.frame(:ping, 0, 0, "12345678") },
    settings: ->(connection, _) { connection.settings(initial_window_size: 65_535) },
    empty_data: ->(connection, stream) { connection.data(stream) },
    continuation: ->(connection, stream) { connection.frame(:continuation, 0, stream, "\0\1a\1b".b) },
    informational_heads: ->(connection, stream) { connection.head(stream, { ":status" => "103", "link" => "x" * 1000 }) },
    unknown_frames: ->(connection, stream) { connection.frame(0xbe, 0, stream, "x" * 1000) }
  }.freeze

  FLOODS.each do |name, flood|
    define_method(:"test_a_flood_of_#{name}_is_cut_off_or_borne_within_the_idle_timeout") do
      serve do |connection|
        request = connection.request
        connection.head(request.stream).barrier if name == :empty_data
        connection.frame(:headers, 0, request.stream, FaultServer::HTTP2Connection.fields(":status" => "200")) if name == :continuation
        Thread.new do
          connection.wait_gone
        rescue StandardError
          nil
        end
        loop { flood.call(connection, request.stream) }
      end
      took = seconds do
        assert_raises(Streamer::Error) { @client.get("/flood", timeouts: { idle: 1, first_event: 1, total: 2 }).each_event { |event| event } }
      end
      assert_operator took, :<, 5
      serve { |connection| respond_to_all(connection) }
      assert_equal ["a"], get
    end
  end

  def test_heads_that_are_too_large
    serve do |connection|
      loop do
        request = connection.request
        next connection.respond(request.stream, "a") unless request.path == "/large"

        fields = Array.new(40) { |number| ["x-#{number}", "y" * 10_000] }.to_h
        blocks = FaultServer::HTTP2Connection.fields({ ":status" => "200", **fields }).scan(/.{1,16000}/mn)
        blocks.each_with_index do |block, index|
          flags = index == blocks.size - 1 ? FaultServer::HTTP2Connection::END_HEADERS : 0
          connection.frame(index.zero? ? :headers : :continuation, flags, request.stream, block)
        end
      end
    end
    assert_raises(Streamer::HeadersTooLargeError, Streamer::ProtocolError, Streamer::ClosedError) { get("/large") }
    assert_equal ["a"], get
  end

  # A few bytes that say "the same again": 4 KB of the table each.
  def test_a_header_bomb
    serve do |connection|
      request = connection.request
      indexed = "\x40".b + FaultServer::HTTP2Connection.string("x") + FaultServer::HTTP2Connection.string("y" * 4000)
      block = FaultServer::HTTP2Connection.fields(":status" => "200") + indexed + ("\xbe".b * 10_000)
      connection.frame(:headers, FaultServer::HTTP2Connection::END_HEADERS, request.stream, block)
      respond_to_all(connection)
    end
    assert_raises(Streamer::HeadersTooLargeError, Streamer::ProtocolError, Streamer::ClosedError) { get("/bomb") }
    assert_equal ["a"], get
  end

  def test_a_push_promise_is_a_protocol_error
    serve do |connection|
      request = connection.request
      next connection.respond(request.stream, "a").wait_gone unless request.path == "/push"

      promise = [2].pack("N") + FaultServer::HTTP2Connection.fields(":method" => "GET", ":path" => "/", ":scheme" => "https", ":authority" => "x")
      connection.frame(:push_promise, FaultServer::HTTP2Connection::END_HEADERS, request.stream, promise).wait_gone
    end
    assert_raises(Streamer::ProtocolError, Streamer::ClosedError) { get("/push") }
    assert_equal ["a"], get
  end

  MALFORMED = {
    "no status" => { "content-type" => "text/plain" },
    "a status that is none" => { ":status" => "abc" },
    "a name in upper case" => { ":status" => "200", "X-Upper" => "a" },
    "a connection's own field" => { ":status" => "200", "connection" => "close" },
    "a line end in a value" => { ":status" => "200", "x" => "a\r\nb" },
    "a NUL in a value" => { ":status" => "200", "x" => "a\0b" },
    "a pseudo-header field behind others" => { "x" => "a", ":status" => "200" },
    "an unknown pseudo-header field" => { ":status" => "200", ":x" => "a" },
    "101" => { ":status" => "101" }
  }.freeze

  def test_malformed_heads_are_protocol_errors_and_leave_the_connection
    serve do |connection|
      loop do
        request = connection.request
        if (fields = MALFORMED[request.fields["x-case"]])
          connection.head(request.stream, fields, last: true)
        else
          connection.respond(request.stream, "a")
        end
      end
    end
    MALFORMED.each_key do |name|
      assert_raises(Streamer::ProtocolError, name) { @client.get("/", headers: { "x-case" => name }).read }
      assert_equal ["a"], get
    end
    assert_equal 1, @server.connections
  end

  def test_frames_that_no_stream_or_connection_allows_end_the_connection_alone
    frames = [[:data, 0, 0, "x"], [:headers, 4, 0, ""], [:settings, 0, 1, ""], [:settings, 0, 0, "x"], [:ping, 0, 0, "x"], [:goaway, 0, 0, "x"],
              [:window_update, 0, 0, "\0\0\0\0"], [:rst_stream, 0, 0, "\0\0\0\0"], [:data, 0, 99, "x"], [:continuation, 4, 1, ""],
              [:data, 8, 1, "\xff"], [:headers, 4, 2, "\x88"], [:headers, 4, 1, "\xff\xff\xff\xff\xff"]]
    serve do |connection|
      request = connection.request
      next connection.respond(request.stream, "a").wait_gone unless request.path == "/bad"

      connection.frame(*frames[Integer(request.fields["x-frame"])]).wait_gone
    end
    frames.each_index do |index|
      error = assert_raises(Streamer::Error, frames[index].inspect) { @client.get("/bad", headers: { "x-frame" => index }, timeouts: { idle: 2 }).read }
      assert_kind_of Streamer::ConnectionError, error, frames[index].inspect
    end
    assert_equal ["a"], get
  end

  # --- bodies and their ends ---

  def test_a_body_that_is_not_as_long_as_announced_is_a_cut
    serve do |connection|
      loop do
        request = connection.request
        length, bytes = request.path.delete_prefix("/").split("-").map(&:to_i)
        connection.head(request.stream, { ":status" => "200", "content-type" => "text/plain", "content-length" => length.to_s })
        connection.data(request.stream, "x" * bytes, last: true)
      end
    end
    assert_equal "xxx", @client.get("/3-3").read
    %w[/3-2 /3-4 /3-0].each { |path| assert_raises(Streamer::ClosedError, Streamer::ProtocolError, path) { @client.get(path).read } }
    assert_equal 1, @server.connections
  end

  def test_informational_heads_trailers_and_padding_are_passed_over
    serve do |connection|
      stream = connection.request.stream
      connection.head(stream, { ":status" => "103", "link" => "</a>" }).head(stream, { ":status" => "100" }).head(stream)
      connection.frame(:data, 8, stream, "\x05data: a\n\n\0\0\0\0\0").event(stream, "b")
      connection.head(stream, { "x-trailer" => "c" }, last: true).wait_gone
    end
    response = @client.get("/")
    assert_equal %w[a b], events(response)
    assert_equal ["text/event-stream", nil, nil], response.headers.values_at("content-type", "link", "x-trailer")
  end

  # The exchange of one event, cut after each of its bytes.
  def test_half_a_frame_and_the_end
    whole = FaultServer::HTTP2Connection.frame(:headers, 4, 1, FaultServer::HTTP2Connection.fields(FaultServer::HTTP2Connection::HEAD)) +
            FaultServer::HTTP2Connection.frame(:data, 0, 1, "data: a\n\n") + FaultServer::HTTP2Connection.frame(:data, 1, 1, "")
    serve do |connection|
      request = connection.request
      cut = Integer(request.fields["x-cut"])
      connection.write(whole.byteslice(0, cut))
      connection.wait_gone if cut == whole.bytesize
      connection.number.even? ? connection.reset : connection.cut
    end
    (0...whole.bytesize).each do |cut|
      error = assert_raises(Streamer::ClosedError, cut.to_s) { @client.post("/", headers: { "x-cut" => cut }).each_event { |event| event } }
      assert_operator error.delivered, :<=, 1
    end
    assert_equal ["a"], events(@client.post("/", headers: { "x-cut" => whole.bytesize }))
    assert_equal whole.bytesize + 1, @server.connections, "a POST was sent twice"
  end

  # --- ALPN ---

  def test_a_server_that_chooses_http_1_1_or_nothing_is_spoken_to_in_http_1_1
    [["http/1.1"], []].each do |alpn|
      server = FaultServer::HTTP1.new(alpn: alpn) do |connection|
        connection.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9\r\n\r\ndata: a\n\n") while connection.read_head
      end
      (@stopped_at_the_end ||= []) << server
      client = server.client
      assert_equal [["a"]] * 2, Array.new(2) { events(client.get("/")) }
      assert_equal 1, server.connections
      assert_equal "1.1", client.get("/").tap(&:read).timings[:http_version]
    end
  end

  def test_a_server_that_breaks_off_after_the_handshake
    serve { |connection| connection.number == 1 ? connection.cut : respond_to_all(connection) }
    outcome = begin
      post
    rescue Streamer::ConnectionError => error
      error
    end
    assert(outcome == ["a"] || outcome.is_a?(Streamer::ConnectionError), outcome.inspect)
    assert_equal ["a"], get
  end

  # --- reuse ---

  def test_a_connection_that_was_closed_while_idle_harms_no_post
    left = Thread::Queue.new
    serve do |connection|
      request = connection.request
      connection.respond(request.stream, connection.number.to_s).barrier
      connection.goaway(request.stream) if connection.number == 2
      connection.cut
      left << true
    end
    3.times do |number|
      assert_equal [(number + 1).to_s], post
      left.pop
    end
  end

  # It was used before, and closed without a byte in return: only what is idempotent is sent again.
  def test_a_request_that_a_used_connection_never_answered
    arrived = Thread::Queue.new
    serve do |connection|
      request = connection.request
      connection.respond(request.stream, "a")
      arrived << connection.request
      connection.cut
    end
    get
    assert_raises(Streamer::ClosedError) { post }
    assert_equal [1, 1], [@server.connections, arrived.size]
    get
    assert_equal ["a"], get
    assert_equal 3, @server.connections
  end

  # --- descriptors ---

  def test_faults_leak_no_descriptors
    serve do |connection|
      request = connection.request
      case request.path
      when "/goaway" then connection.goaway(0)
      when "/reset" then connection.head(request.stream).reset
      when "/garbage" then connection.write("HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
      else connection.respond(request.stream, "a").wait_gone
      end
    end
    paths = %w[/goaway /reset /garbage]
    paths.each { |path| assert_raises(Streamer::Error) { get(path) } }
    before = nil
    wait_until { before == (before = descriptors) }
    10.times { paths.each { |path| assert_raises(Streamer::Error) { get(path) } } }
    wait_until { descriptors <= before }
  end

  private

  def serve(**options, &script)
    @server = FaultServer::HTTP2.new(**options, &script)
    (@stopped_at_the_end ||= []) << @server
    @client = @server.client
  end

  # Answers every request with one event, and drops what is uploaded.
  def respond_to_all(connection)
    loop do
      request = connection.request
      yield request if block_given?
      connection.respond(request.stream, "a")
    end
  end

  def descriptors = Upstream.without_scheduler { Dir.children("/proc/self/fd").size }
  def events(response) = response.each_event.map(&:data)
  def get(path = "/") = events(@client.get(path))
  def post(path = "/") = events(@client.post(path, json: { a: 1 }))
end

class HTTP2FaultsOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include HTTP2FaultTests
end

class HTTP2FaultsInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include HTTP2FaultTests
end
