# frozen_string_literal: true

require "test_helper"
require "stringio"
require "support/contexts"

# Requests as they arrive upstream, and answers as the caller gets them.
module ExchangeTests
  def setup
    @upstream = upstream { |exchange| exchange.openai(tokens: 3) }
    @upstream.on("/echo", &:echo)
    @client = Streamer::Client.new(@upstream.url)
  end

  def test_get_sends_what_was_asked_for
    echo = @client.get("/echo?q=1&r=%20", headers: { "X-Token" => "t", "accept" => "a/b" }).json
    assert_equal "GET", echo["method"]
    assert_equal "/echo?q=1&r=%20", echo["target"]
    assert_equal "t", echo["headers"]["x-token"]
    assert_equal "a/b", echo["headers"]["accept"]
    assert_equal 0, echo["bytes"]
  end

  def test_the_clients_headers_go_with_every_request_and_a_requests_own_come_first
    client = Streamer::Client.new(@upstream.url, headers: { "x-a" => "client", "x-b" => "client" })
    headers = client.get("/echo", headers: { "X-B" => "request" }).json["headers"]
    assert_equal %w[client request], headers.values_at("x-a", "x-b")
  end

  def test_no_header_is_sent_that_nobody_has_asked_for
    assert_empty @client.post("/echo").json["headers"].keys - %w[host accept accept-encoding user-agent content-length]
    bare = { "accept" => nil, "accept-encoding" => nil, "user-agent" => nil, "content-type" => nil }
    assert_empty @client.post("/echo", body: "x", headers: bare).json["headers"].keys - %w[host content-length]
  end

  def test_post_json
    echo = @client.post("/echo", json: { model: "m", text: "ü" }).json
    assert_equal "POST", echo["method"]
    assert_equal({ "model" => "m", "text" => "ü" }, JSON.parse(echo["body"]))
    assert_match(%r{\Aapplication/json}, echo["headers"]["content-type"])
    refute_includes echo["headers"], "expect"
  end

  def test_post_a_string
    echo = @client.post("/echo", body: "a\0b", headers: { "content-type" => "x/y" }).json
    assert_equal ["a\0b", "3", "x/y"], [echo["body"], echo["headers"]["content-length"], echo["headers"]["content-type"]]
  end

  def test_post_a_large_string
    assert_equal 3_000_000, @client.post("/echo", body: "x" * 3_000_000).json["bytes"]
  end

  def test_post_from_an_io
    echo = @client.post("/echo", body: StringIO.new("x" * 700_000)).json
    assert_equal ["x" * 700_000, "POST"], echo.values_at("body", "method")
  end

  # Reads like an IO whose writer takes its time.
  class SlowBody
    def initialize(*parts) = @parts = parts

    def read(_length)
      sleep 0.01
      @parts.shift
    end
  end

  def test_post_from_an_io_that_waits
    assert_equal "part0 part1 part2", @client.post("/echo", body: SlowBody.new("part0 ", "part1 ", "part2")).json["body"]
  end

  def test_post_from_an_io_sends_what_is_left_of_it
    io = StringIO.new("read already, the rest")
    io.read(14)
    assert_equal "the rest", @client.post("/echo", body: io).json["body"]
  end

  def test_any_method
    %w[PUT PATCH DELETE REPORT].each do |method|
      assert_equal method, @client.request(method, "/echo").call.json["method"]
    end
  end

  def test_a_header_cannot_inject_another
    [{ "x" => "a\r\nx-evil: 1" }, { "x\r\nx-evil" => "1" }, { "x" => "a\nb" }, { "x" => "a\0b" }].each do |headers|
      assert_raises(ArgumentError, headers.inspect) { @client.get("/echo", headers: headers).status }
    end
    assert_empty @upstream.requests
  end

  def test_status_and_headers_in_any_case
    @upstream.on("/made") { |exchange| exchange.answer("x", headers: { "X-Thing" => "one", "set-cookie" => "a=1" }) }
    response = @client.get("/made")
    assert_equal 200, response.status
    assert_equal %w[one one one], [response.headers["x-thing"], response.headers["X-Thing"], response.headers["X-THING"]]
    assert_nil response.headers["nothing"]
    response.read
  end

  def test_the_response_is_there_at_its_head
    @upstream.on("/head") { |exchange| exchange.head.stall }
    response = @client.get("/head")
    assert_equal 200, response.status
    response.cancel
  end

  def test_each_event
    events = collect(@client.get("/"))
    assert_equal 4, events.size
    assert_equal "message", events.first.type
    assert_equal "t0 ", events.first.json.dig("choices", 0, "delta", "content")
    assert_equal "[DONE]", events.last.data
  end

  def test_each_event_whatever_the_chunks
    @upstream.on("/split") { |exchange| exchange.openai(tokens: 5, split: 7) }
    assert_equal 6, collect(@client.get("/split")).size
  end

  def test_events_come_as_they_are_sent
    seen = []
    @upstream.on("/waiting") do |exchange|
      exchange.head
      3.times do |number|
        exchange.chunk("data: #{number}\n\n")
        sleep 0.002 until seen.size > number
      end
      exchange.finish
    end
    @client.get("/waiting").each_event { |event| seen << event.data }
    assert_equal %w[0 1 2], seen
  end

  def test_each_value
    values = []
    @client.get("/").each_value("choices.0.delta.content") { |value| values << value }
    assert_equal ["t0 ", "t1 ", "t2 "], values
  end

  def test_each_value_of_several_paths
    values = []
    @client.get("/").each_value("choices.0.delta.content", "model") { |*value| values << value.flatten }
    assert_equal ["t0 ", "gpt-4o-mini-2024-07-18"], values.first
  end

  def test_each_chunk_gives_the_bytes
    chunks = []
    @client.get("/").each_chunk { |chunk| chunks << chunk }
    assert_equal [*Array.new(3) { |number| Upstream.token(number) }, "data: [DONE]\n\n"].join, chunks.join
  end

  def test_read_and_json
    @upstream.on("/object") { |exchange| exchange.json({ a: ["ü"] }) }
    assert_equal({ "a" => ["ü"] }, @client.get("/object").json)
    assert_equal '{"a":["ü"]}', @client.get("/object").read.dup.force_encoding("UTF-8")
  end

  def test_an_answer_without_a_body
    @upstream.on("/nothing") { |exchange| exchange.raw("HTTP/1.1 204 No Content\r\n\r\n") }
    response = @client.get("/nothing")
    assert_equal [204, ""], [response.status, response.read]
  end

  def test_bytes_after_done_do_no_harm
    @upstream.on("/trailing") { |exchange| exchange.stream([Upstream.token(0), "data: [DONE]\n\n", ": bye\n\n"]) }
    values = []
    @client.get("/trailing").each_value("choices.0.delta.content") { |value| values << value }
    assert_equal ["t0 "], values
  end

  def test_one_connection_serves_one_request_after_the_other
    5.times { collect(@client.get("/")) }
    assert_equal [5, 1], [@upstream.requests.size, @upstream.connections]
  end

  def test_what_a_server_says_on_an_idle_connection_is_no_answer
    closing = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    unasked = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nunasked"
    said = Thread::Queue.new
    @upstream.on("/closing") { |exchange| said << exchange.answer("first").pause(0.05).raw(closing).close }
    @upstream.on("/chatty") { |exchange| said << exchange.answer("first").pause(0.05).raw(unasked) }
    %w[GET POST].product(%w[/closing /chatty]) do |method, path|
      assert_equal "first", @client.request(method, path).call.read
      said.pop
      sleep 0.05 # until it has arrived
      assert_equal [200, method], @client.request(method, "/echo").call.then { |answer| [answer.status, answer.json["method"]] }
    end
  end

  def test_two_clients_share_connections_to_an_origin
    collect(@client.get("/"))
    collect(Streamer::Client.new(@upstream.url).get("/"))
    assert_equal 1, @upstream.connections
  end

  def test_a_connection_that_the_server_closed_is_replaced
    @upstream.on("/last") { |exchange| exchange.answer("x", headers: { "connection" => "close" }).close }
    assert_equal "x", @client.get("/last").read
    assert_equal 4, collect(@client.get("/")).size
  end

  def test_one_shot_forms
    assert_equal "GET", Streamer.get(@upstream.url("/echo")).json["method"]
    assert_equal "POST", Streamer.post(@upstream.url("/echo"), json: { a: 1 }).json["method"]
    assert_equal "PUT", Streamer.request("PUT", @upstream.url("/echo"), body: "x").call.json["method"]
  end

  def test_no_compression_is_asked_for
    assert_includes [nil, "identity"], @client.get("/echo").json["headers"]["accept-encoding"]
  end

  def test_timings
    response = @client.get("/")
    response.read
    assert_operator response.timings[:first_byte], :>, 0
    assert_operator response.timings[:total], :>=, response.timings[:first_byte]
    assert_operator response.timings[:bytes], :>, 300
  end

  def test_a_block_that_raises_ends_the_exchange_and_the_error_arrives
    @upstream.on("/endless") { |exchange| exchange.openai(tokens: 10_000, every: 0.005) }
    error = assert_raises(RuntimeError) { @client.get("/endless").each_event { raise "mine" } }
    assert_equal "mine", error.message
    assert @upstream.requests.last.wait_gone, "the upstream never saw the client leave"
  end

  def test_a_block_may_break
    @upstream.on("/endless") { |exchange| exchange.openai(tokens: 10_000, every: 0.005) }
    assert_equal("t1 ", @client.get("/endless").each_value("choices.0.delta.content") { |value| break value if value == "t1 " })
    assert @upstream.requests.last.wait_gone, "the upstream never saw the client leave"
  end

  def test_a_request_within_the_block_of_another
    values = []
    @client.get("/").each_value("choices.0.delta.content") { |value| values << [value, @client.get("/echo?#{value.strip}").json["target"]] }
    assert_equal [["t0 ", "/echo?t0"], ["t1 ", "/echo?t1"], ["t2 ", "/echo?t2"]], values
  end

  private

  def collect(response) = [].tap { |events| response.each_event { |event| events << event } }
end

class ExchangeOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include ExchangeTests
end

class ExchangeInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include ExchangeTests
end

class ExchangeInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include ExchangeTests
end
