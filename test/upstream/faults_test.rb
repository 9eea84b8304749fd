# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# Upstreams that misbehave: each fault has its error, which names the request and says what had been delivered; nothing
# that arrived is lost, and the next request works.
module FaultTests
  EVENT = "data: a\n\n"

  def setup
    @upstream = upstream { |exchange| exchange.openai(tokens: 1) }
    @client = Streamer::Client.new(@upstream.url, headers: { "authorization" => "Bearer secret" }, timeouts: { connect: 20, total: 60 })
  end

  def teardown
    assert_equal 2, [].tap { |events| @client.get("/healthy").each_event { |event| events << event } }.size unless failures.any?
    super
  end

  def test_closed_before_the_head
    @upstream.on("/fault", &:close)
    fault Streamer::ClosedError
  end

  def test_closed_within_the_head
    @upstream.on("/fault") { |exchange| exchange.raw("HTTP/1.1 200 OK\r\ncontent-type: text/ev").close }
    fault Streamer::ClosedError
  end

  def test_closed_within_the_body_after_two_events
    @upstream.on("/fault") { |exchange| exchange.head.chunk(EVENT * 2).chunk("data: unfin").close }
    fault Streamer::ClosedError, delivered: 2
  end

  def test_closed_before_the_announced_length
    @upstream.on("/fault") do |exchange|
      exchange.raw("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 1000\r\n\r\n#{EVENT}").close
    end
    fault Streamer::ClosedError, delivered: 1
  end

  def test_reset_within_the_body
    @upstream.on("/fault") { |exchange| exchange.head.chunk(EVENT).tap { sleep 0.002 until @seen.any? }.reset }
    fault Streamer::ClosedError, delivered: 1
  end

  def test_reset_before_the_head
    @upstream.on("/fault", &:reset)
    fault Streamer::ClosedError
  end

  def test_nobody_listens
    url = Upstream.refused_url
    error = assert_raises(Streamer::ConnectError) { Streamer::Client.new(url).get("/fault?key=secret").read }
    assert_names_request error, "GET #{url}/fault"
  end

  def test_a_name_that_does_not_resolve
    origin = "http://#{"a" * 64}.invalid" # a label too long, which needs no name server to be refused
    error = assert_raises(Streamer::ResolveError) { Streamer::Client.new(origin).get("/fault").read }
    assert_names_request error, "GET #{origin}/fault"
  end

  def test_not_http
    @upstream.on("/fault") { |exchange| exchange.raw("220 mail.example.com ESMTP\r\n\r\n").close }
    error = assert_raises(Streamer::ConnectionError) { run_fault }
    assert_names_request error
  end

  def test_a_chunk_length_that_is_none
    @upstream.on("/fault") { |exchange| exchange.head.chunk(EVENT).raw("oops\r\n").close }
    error = assert_raises(Streamer::ConnectionError) { run_fault }
    assert_equal [1, ["a"]], [error.delivered, @seen]
  end

  def test_headers_for_ever
    @upstream.on("/fault", &:headers_for_ever)
    fault Streamer::HeadersTooLargeError
  end

  def test_a_line_of_two_gibibytes
    @upstream.on("/fault", &:endless_line)
    fault Streamer::LineTooLongError
    assert @upstream.requests.first.wait_gone, "the upstream was left sending"
  end

  def test_an_endless_line_into_a_value
    @upstream.on("/fault", &:endless_line)
    error = assert_raises(Streamer::LineTooLongError) { @client.get("/fault").each_value("a") { flunk } }
    assert_names_request error
  end

  def test_an_endless_body_read_whole
    @upstream.on("/fault", &:endless_line)
    error = assert_raises(Streamer::BodyTooLargeError) { @client.get("/fault").read }
    assert_names_request error
  end

  def test_broken_json_where_a_value_is_wanted
    @upstream.on("/fault") { |exchange| exchange.stream(["data: {\"a\":1}\n\n", "data: {oops\n\n", "data: {\"a\":2}\n\n"]) }
    values = []
    error = assert_raises(Streamer::InvalidJSONError) { @client.get("/fault").each_value("a") { |value| values << value } }
    assert_equal [[1], 1], [values, error.delivered]
    assert_names_request error
  end

  def test_broken_sse_is_no_error_as_in_a_browser
    @upstream.on("/fault") { |exchange| exchange.stream(["\xFF\xFE nonsense\n\n:\0\n", EVENT, "data"]) }
    assert_equal ["a"], run_fault
  end

  def test_status_500_with_a_json_body
    @upstream.on("/fault") { |exchange| exchange.json({ error: { message: "overloaded" } }, status: 500) }
    error = assert_raises(Streamer::ResponseError) { run_fault }
    assert_equal 500, error.status
    assert_equal "overloaded", error.json.dig("error", "message")
    assert_match(/500/, error.message)
    assert_names_request error
  end

  def test_status_429_with_headers
    @upstream.on("/fault") { |exchange| exchange.json({}, status: 429, headers: { "retry-after" => "7" }) }
    error = assert_raises(Streamer::ResponseError) { run_fault }
    assert_equal ["7", 429], [error.headers["retry-after"], error.status]
  end

  def test_status_500_with_a_huge_body
    @upstream.on("/fault") { |exchange| exchange.answer("e" * 5_000_000, status: 500) }
    error = assert_raises(Streamer::ResponseError) { run_fault }
    assert_operator error.body.bytesize, :<, 200_000
    assert error.body.start_with?("eee")
    assert_nil error.json
  end

  def test_status_500_with_a_body_that_breaks_off
    @upstream.on("/fault") { |exchange| exchange.head(status: 500, type: "text/plain").chunk("half").close }
    error = assert_raises(Streamer::ResponseError) { run_fault }
    assert_equal [500, "half"], [error.status, error.body]
  end

  def test_status_500_with_a_body_that_never_ends
    @upstream.on("/fault") { |exchange| exchange.head(status: 500, type: "text/plain").chunk("half").stall }
    client = Streamer::Client.new(@upstream.url, timeouts: { idle: 1 })
    error = assert_raises(Streamer::ResponseError) { client.get("/fault").each_event { flunk } }
    assert_equal 500, error.status
  end

  def test_an_error_status_can_be_looked_at_instead
    @upstream.on("/fault") { |exchange| exchange.json({ a: 1 }, status: 404) }
    response = @client.get("/fault")
    assert_equal 404, response.status
    response.cancel
  end

  def test_another_content_type_is_not_an_event_stream
    @upstream.on("/fault") { |exchange| exchange.answer("<html>data: a\n\n</html>", type: "text/html") }
    error = assert_raises(Streamer::Error) { run_fault }
    assert_match(%r{text/html}, error.message)
  end

  def test_a_compressed_stream_is_decoded_or_refused_but_never_garbage
    @upstream.on("/fault") { |exchange| exchange.gzip([EVENT]) }
    values = begin
      run_fault
    rescue Streamer::Error => error
      assert_match(/gzip|encoding/i, error.message)
      ["a"]
    end
    assert_equal ["a"], values
  end

  def test_no_secret_is_in_any_message
    @upstream.on("/fault", &:close)
    url = @upstream.url.sub("http://", "http://user:password@")
    error = assert_raises(Streamer::ClosedError) { Streamer::Client.new(url).get("/fault?key=hidden").read }
    refute_match(/password|hidden/, error.full_message(highlight: false, order: :top).lines.first)
    refute_match(/password|hidden/, error.request)
  end

  private

  def run_fault
    @seen = []
    @client.post("/fault?key=secret", json: {}).each_event { |event| @seen << event.data }
    @seen
  end

  def fault(error_class, delivered: 0)
    error = assert_raises(error_class) { run_fault }
    assert_equal delivered, error.delivered
    assert_equal delivered.positive?, error.delivered?
    assert_equal ["a"] * delivered, @seen
    assert_names_request error
  end

  def assert_names_request(error, request = "#{error.request[/\A\w+/]} #{@upstream.url}/fault")
    assert_equal request, error.request
    assert_includes error.message, request
    refute_match(/secret/, error.message)
  end
end

class FaultsOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include FaultTests
end

class FaultsInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include FaultTests
end

class FaultsInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include FaultTests
end
