# frozen_string_literal: true

require "test_helper"
require "support/upstream"

# One way to build a request and one to send it; the same shapes of values and the same returns everywhere.
class ApiTest < Minitest::Test
  def setup
    events = ["data: {\"a\":{\"b\":1},\"c\":\"x\"}\n\n", "data: {\"c\":\"y\"}\n\n", "data: [DONE]\n\n"]
    @upstream = Upstream.new { |exchange| exchange.stream(events) }
    @client = Streamer::Client.new(@upstream.url)
  end

  def teardown = @upstream.stop

  def test_request_builds_and_call_sends_as_often_as_one_likes
    requests = [@client.request(:get, "/a"), Streamer.request("GET", @upstream.url("/a")), Streamer::Request.new(:get, @upstream.url("/a"))]

    assert_empty @upstream.requests
    requests.each { |request| 2.times { assert_equal 200, request.call.status } }
    assert_equal 6, @upstream.requests.size
  end

  def test_each_verb_of_a_client_sends_at_once
    @upstream.on("/empty") { |exchange| exchange.answer("") }
    %i[get head post put patch delete].each { |verb| assert_kind_of Streamer::Response, @client.public_send(verb, "/empty").tap(&:cancel) }
    assert_equal %w[GET HEAD POST PUT PATCH DELETE], @upstream.requests.map(&:method)
  end

  def test_each_value_takes_what_value_takes
    { ["c"] => %w[x y], ["a.b", "c"] => [[1, "x"], [nil, "y"]], [%w[a.b c]] => [[1, "x"], [nil, "y"]], [["c"]] => [["x"], ["y"]],
      [{ number: "a.b", text: "c" }] => [{ number: 1, text: "x" }, { number: nil, text: "y" }], [{ text: "c" }] => [{ text: "x" }, { text: "y" }] }
      .each { |paths, values| assert_equal values, @client.get("/").each_value(*paths).to_a, paths.inspect }
  end

  def test_each_with_a_block_returns_its_receiver
    nothing = ->(*) {}
    ways = [->(r) { r.each_event(&nothing) }, ->(r) { r.each_value("c", &nothing) }, ->(r) { r.each_chunk(&nothing) },
            ->(r) { r.each_frames(Streamer::Pipeline.new(value: "c"), &nothing) }]
    ways.each { |way| @client.get("/").then { |response| assert_same response, way.call(response) } }
  end

  def test_an_errors_name_is_its_classs_in_snake_case_without_error
    names = { Streamer::IdleTimeoutError => "idle_timeout", Streamer::LineTooLongError => "line_too_long", Streamer::ClosedError => "closed",
              Streamer::TLSError => "tls", Streamer::InvalidJSONError => "invalid_json", Streamer::ConnectionError => "connection",
              Streamer::BrowserDisconnectedError => "browser_disconnected", Streamer::Error => "internal", ArgumentError => "internal",
              Class.new(Streamer::Error) => "internal" }
    names.each { |type, name| assert_equal name, Streamer::Error.name_of(type.new("broken")), type.inspect }
    assert_equal %w[response upstream], [Streamer::ResponseError.new(500, {}, ""), Streamer::UpstreamError.new("")].map { |e| Streamer::Error.name_of(e) }
  end

  def test_every_error_class_says_that_it_is_one
    errors = Streamer.constants.map { |name| Streamer.const_get(name) }.select { |type| type.is_a?(Class) && type <= Exception }

    assert_operator errors.size, :>, 20
    assert_empty errors.map(&:name).reject { |name| name.end_with?("Error") }
    refute_operator Streamer::TruncatedError, :<, Streamer::ClosedError
  end
end
