# frozen_string_literal: true

require "test_helper"
require "openssl"
require "streamer/faraday"
require "support/contexts"

# The adapter's contract where Faraday's own examples do not look.
module FaradayTests
  def setup
    @upstream = upstream { |exchange| exchange.openai(tokens: 3, every: 0.01) }
    @upstream.on("/echo", &:echo)
  end

  def test_on_data_gets_chunk_size_and_env
    seen = []
    @upstream.on("/waiting") do |exchange|
      exchange.head.chunk(Upstream.token(0))
      wait_until { seen.any? }
      exchange.chunk(Upstream.token(1)).chunk(Upstream.token(2)).chunk("data: [DONE]\n\n").finish
    end
    response = faraday.post("/waiting") do |request|
      request.options.on_data = proc { |chunk, size, env| seen << [chunk, size, env.status, env.response_headers["Content-Type"]] }
    end
    assert_equal 4, Streamer::Decoder.new.feed(seen.map(&:first).join).size
    assert_operator seen.size, :>, 1, "it came in one piece"
    total = 0
    assert_equal seen.map { |chunk,| total += chunk.bytesize }, seen.map { |_, size,| size }
    assert_equal [[200, "text/event-stream"]], seen.map { |*, status, type| [status, type] }.uniq
    assert_equal [200, ""], [response.status, response.body]
  end

  def test_an_error_comes_whole_to_on_data_and_is_the_body
    @upstream.on("/busy") do |exchange|
      exchange.head(status: 429, type: "application/json", headers: { "retry-after" => 7 }).chunk('{"error":').pause(0.05)
              .chunk('{"message":"slow down"}}').finish
    end
    seen = []
    response = faraday.post("/busy") { |request| request.options.on_data = proc { |chunk, _, env| seen << [chunk, env.status] } }
    body = '{"error":{"message":"slow down"}}'
    assert_equal [[body, 429]], seen
    assert_equal [429, body, "7"], [response.status, response.body, response.headers["Retry-After"]]
  end

  def test_a_large_error_goes_on_in_pieces
    large = "x" * 100_000
    @upstream.on("/large") { |exchange| exchange.answer(large, status: 500) }
    seen = []
    response = faraday.get("/large") { |request| request.options.on_data = proc { |chunk, *| seen << chunk } }
    assert_equal large, seen.join
    assert_equal seen.first, response.body
    assert_operator response.body.bytesize, :>=, Streamer::Response::MAX_ERROR_BODY
  end

  def test_ndjson_comes_in_whole_lines
    lines = Array.new(20) { |number| %({"number":#{number},"text":"\u00e4\u4f60"}\n) }
    @upstream.on("/lines") do |exchange|
      exchange.head(type: "application/x-ndjson")
      lines.join.b.scan(/.{1,17}/mn).each { |piece| exchange.chunk(piece).pause(0.01) }
      exchange.chunk("{}").finish
    end
    seen = []
    faraday.get("/lines") { |request| request.options.on_data = proc { |chunk, *| seen << chunk } }
    assert_equal "#{lines.join}{}", seen.join.force_encoding("UTF-8")
    assert_operator seen.size, :>, 2
    assert(seen[0..-2].all? { |chunk| chunk.end_with?("\n") }, seen.inspect)
  end

  def test_a_proxy
    proxy = upstream(&:echo)
    response = faraday("http://upstream.example:8080", proxy: proxy.url.sub("//", "//me:p%40ss@")).get("/path")
    assert_equal "http://upstream.example:8080/path", JSON.parse(response.body)["target"]
    assert_equal "Basic #{["me:p@ss"].pack("m0")}", proxy.requests.last.headers["proxy-authorization"]
    { proxy.url.sub("//", "//me:p+ss@") => "me:p+ss", { uri: proxy.url, user: "me", password: "p+s:@" } => "me:p+s:@" }.each do |option, credentials|
      faraday("http://upstream.example:8080", proxy: option).get("/path")
      assert_equal "Basic #{[credentials].pack("m0")}", proxy.requests.last.headers["proxy-authorization"]
    end
  end

  def test_a_proxy_that_is_not_there
    error = assert_raises(Faraday::ConnectionFailed) { faraday(proxy: Upstream.refused_url.sub("//", "//me:secret@")).get("/echo") }
    refute_includes error.message, "secret"
  end

  def test_raising_in_on_data_ends_the_upstream
    @upstream.on("/endless") { |exchange| exchange.openai(tokens: 100_000, every: 0.01) }
    [RuntimeError.new("enough"), Streamer::BrowserDisconnectedError.new("the browser left")].each_with_index do |mine, index|
      raised = assert_raises(mine.class) do
        faraday.post("/endless") { |request| request.options.on_data = proc { raise mine } }
      end
      assert_same mine, raised
      assert @upstream.wait_request(index + 1).wait_gone, "the upstream never saw the client leave"
    end
  end

  def test_throwing_out_of_on_data_ends_the_upstream
    @upstream.on("/stall") { |exchange| exchange.head.chunk("data: 1\n\n").stall }
    catch(:enough) { faraday.post("/stall") { |request| request.options.on_data = proc { throw :enough } } }
    assert @upstream.wait_request.wait_gone, "the upstream never saw the client leave"
  end

  def test_a_read_timeout
    @upstream.on("/stall") { |exchange| exchange.head.chunk("data: 1\n\n").stall }
    error = assert_raises(Faraday::TimeoutError) { faraday(request: { timeout: 30, read_timeout: 0.2 }).get("/stall") }
    assert_instance_of Streamer::IdleTimeoutError, error.wrapped_exception
    assert @upstream.wait_request.wait_gone, "the upstream never saw the client leave"
  end

  def test_a_timeout_before_the_head
    @upstream.on("/stall", &:stall)
    error = assert_raises(Faraday::TimeoutError) { faraday(request: { timeout: 0.2 }).get("/stall") }
    assert_instance_of Streamer::FirstEventTimeoutError, error.wrapped_exception
  end

  def test_an_open_timeout
    Upstream.blackhole do |url|
      error = assert_raises(Faraday::TimeoutError) { faraday(url, request: { timeout: 30, open_timeout: 0.2 }).get("/") }
      assert_instance_of Streamer::ConnectTimeoutError, error.wrapped_exception
    end
  end

  def test_a_timeout_is_none_for_the_whole
    seen = +""
    faraday(request: { timeout: 0.4 }).get("/") do |request|
      @upstream.on("/") { |exchange| exchange.openai(tokens: 8, every: 0.1) }
      request.options.on_data = proc { |chunk, *| seen << chunk }
    end
    assert_equal 9, Streamer::Decoder.new.feed(seen).size
  end

  def test_a_total_timeout_is_the_adapters
    @upstream.on("/endless") { |exchange| exchange.openai(tokens: 100_000, every: 0.02) }
    error = assert_raises(Faraday::TimeoutError) { faraday(adapter: { timeouts: { total: 0.3 } }).get("/endless") }
    assert_instance_of Streamer::TotalTimeoutError, error.wrapped_exception
  end

  def test_connection_errors
    { "/close" => Streamer::ClosedError, "/reset" => Streamer::ClosedError }.each do |path, expected|
      @upstream.on(path) { |exchange| exchange.head.chunk("data: 1\n\n").public_send(path.delete("/")) }
      error = assert_raises(Faraday::ConnectionFailed) { faraday.get(path) }
      assert_instance_of expected, error.wrapped_exception
    end
    error = assert_raises(Faraday::ConnectionFailed) { faraday(Upstream.refused_url).get("/") }
    assert_instance_of Streamer::ConnectError, error.wrapped_exception
  end

  def test_what_had_come_before_a_cut_was_handed_out
    @upstream.on("/cut") { |exchange| exchange.head.chunk("data: 1\n\n").close }
    seen = +""
    assert_raises(Faraday::ConnectionFailed) do
      faraday.get("/cut") { |request| request.options.on_data = proc { |chunk, *| seen << chunk } }
    end
    assert_equal "data: 1\n\n", seen
  end

  def test_certificates
    server = upstream(tls: true, &:echo)
    assert_equal 200, faraday(server.url, ssl: { ca_file: Certificates.ca_file }).get("/").status
    assert_raises(Faraday::SSLError) { faraday(server.url).get("/") }
    assert_equal 200, faraday(server.url, ssl: { verify: false }).get("/").status
    assert_equal 200, faraday(server.url, ssl: { verify_mode: OpenSSL::SSL::VERIFY_NONE }).get("/").status
    assert_match(/ciphers/, assert_raises(ArgumentError) { faraday(server.url, ssl: { ciphers: "HIGH" }).get("/") }.message)
  end

  # An IO that knows neither its size nor its position, as Faraday's multipart bodies.
  Source = Struct.new(:bytes) do
    def read(length) = bytes.slice!(0, length).then { |piece| piece unless piece.empty? }
  end

  def test_a_client_certificate_is_a_file
    server = upstream(tls: true, &:echo)
    certificate = OpenSSL::X509::Certificate.new
    error = assert_raises(ArgumentError) { faraday(server.url, ssl: { client_cert: certificate }).get("/") }
    assert_match(/client_cert/, error.message)
  end

  def test_a_body_with_a_length_of_its_own
    response = faraday.post("/echo", Source.new(+"x" * 100_000), "Content-Length" => "100000")
    assert_equal 100_000, JSON.parse(response.body)["bytes"]
    assert_equal "100000", @upstream.requests.last.headers["content-length"]
    refute @upstream.requests.last.headers.key?("transfer-encoding")
  end

  def test_a_body_without_a_length
    assert_equal "streamed", JSON.parse(faraday.post("/echo", Source.new(+"streamed")).body)["body"]
    assert_equal "chunked", @upstream.requests.last.headers["transfer-encoding"]
  end

  def test_redirects_are_the_middlewares
    @upstream.on("/moved") { |exchange| exchange.redirect("/echo") }
    response = faraday.get("/moved")
    assert_equal [302, "/echo"], [response.status, response.headers["Location"]]
  end

  def test_a_body_has_a_ceiling
    error = assert_raises(Faraday::Error) { faraday(adapter: { max_body: 50 }).get("/echo") }
    assert_instance_of Streamer::BodyTooLargeError, error.wrapped_exception
  end

  def test_options_that_are_none_are_refused_at_once
    assert_raises(ArgumentError) { faraday(adapter: { timeout: 5 }).get("/echo") }
    assert_raises(ArgumentError) { faraday(adapter: { timeouts: { read: 5 } }).get("/echo") }
  end

  def test_parallel_requests_on_one_connection_object
    connection = faraday
    answers = Array.new(8) { |number| beside { JSON.parse(connection.get("/echo?#{number}").body)["target"] } }
    assert_equal Array.new(8) { |number| "/echo?#{number}" }, answers.map(&:value)
  end

  private

  def faraday(url = @upstream.url, adapter: {}, **options)
    Faraday.new(url, **options) { |connection| connection.adapter(:streamer, **adapter) }
  end
end

class FaradayOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include FaradayTests
end

class FaradayInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include FaradayTests
end

class FaradayInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include FaradayTests
end
