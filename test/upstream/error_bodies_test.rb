# frozen_string_literal: true

require "test_helper"
require "support/upstream"

# What an upstream says of an error, in every shape that it may have: never another exception, and as much as can be found.
class ErrorBodiesTest < Minitest::Test
  # body => [type, code, reason]
  BODIES = {
    '{"error":{"message":"no such model","type":"invalid_request_error","code":"model_not_found"}}' =>
      ["invalid_request_error", "model_not_found", "no such model"],
    '{"response":"no such model"}' => [nil, nil, nil],
    '{"response":{"error":{"code":"server_error","message":"failed"}}}' => ["server_error", "server_error", "failed"],
    '{"response":[1,{"error":2}]}' => [nil, nil, nil],
    '[{"error":{"code":401,"message":"API key not valid","status":"UNAUTHENTICATED"}}]' => ["UNAUTHENTICATED", 401, "API key not valid"],
    '[[{"error":{"code":400,"message":"nested","status":"INVALID_ARGUMENT"}}]]' => ["INVALID_ARGUMENT", 400, "nested"],
    '[null, "", {"error":"later"}]' => [nil, nil, "later"],
    "[]" => [nil, nil, nil], "[[],{}]" => [nil, nil, nil], "{}" => [nil, nil, nil], "null" => [nil, nil, nil], "17" => [nil, nil, nil],
    "true" => [nil, nil, nil], '""' => [nil, nil, nil],
    '"just a string"' => [nil, nil, "just a string"],
    '["first","second"]' => [nil, nil, "first"],
    '{"error":"model not found"}' => [nil, nil, "model not found"],
    '{"error":null,"message":"said elsewhere"}' => [nil, nil, "said elsewhere"],
    '{"error":true}' => [nil, nil, nil], '{"error":[]}' => [nil, nil, nil], '{"error":["a","b"]}' => [nil, nil, "a"],
    '{"error":{"message":{"text":"no String"}}}' => [nil, nil, nil],
    '{"error":{"message":["in a list"],"type":["x"],"code":null}}' => [nil, nil, "in a list"],
    '{"error":{"error":{"message":"twice wrapped"}}}' => [nil, nil, "twice wrapped"],
    '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}' => ["overloaded_error", nil, "Overloaded"],
    '{"errors":[{"message":"of several","code":7}]}' => ["7", 7, "of several"],
    '{"errors":{"model":["is missing"]}}' => [nil, nil, nil],
    '{"message":"invalid api token"}' => [nil, nil, "invalid api token"],
    '{"detail":[{"loc":["body","model"],"msg":"field required","type":"missing"}]}' => ["missing", nil, "field required"],
    '{"detail":"Not Found"}' => [nil, nil, "Not Found"],
    '{"type":"about:blank","title":"Forbidden","status":403,"detail":"no quota"}' => ["about:blank", 403, "no quota"],
    '{"timestamp":1,"status":404,"error":"Not Found","path":"/"}' => ["404", 404, "Not Found"],
    '{"error":"invalid_grant","error_description":"expired"}' => [nil, nil, "invalid_grant"],
    '{"fault":{"faultstring":"Invalid ApiKey","detail":{"errorcode":"oauth.v2"}}}' => [nil, nil, "Invalid ApiKey"],
    "\xEF\xBB\xBF{\"error\":\"behind a mark\"}" => [nil, nil, "behind a mark"],
    " \r\n\t{\"error\":\"in white space\"}\n " => [nil, nil, "in white space"],
    "{\"error\":\"caf\xE9\"}" => [nil, nil, "caf\u{FFFD}"],
    '{"error":"\ud800 half"}' => [nil, nil, :any],
    "{\"error\":\"#{"x" * 500}\"}" => [nil, nil, "x" * 200],
    "#{"[" * 200}1#{"]" * 200}" => [nil, nil, :any],
    '{"error":{"message":"cut' => [nil, nil, :any],
    "<html>\r\n<head><title>502 Bad\nGateway</title></head><body>x</body></html>" => [nil, nil, "502 Bad\nGateway"],
    "<!DOCTYPE html><html><body>no title</body></html>" => [nil, nil, nil],
    "upstream connect error or disconnect/reset before headers\nmore" => [nil, nil, "upstream connect error or disconnect/reset before headers"],
    "" => [nil, nil, nil], " \n" => [nil, nil, nil], "\x1F\x8B\x08\x00\x00" => [nil, nil, nil], "\xFF\xFE\x00" => [nil, nil, :any]
  }.freeze

  def setup
    @upstream = Upstream.new
    @client = Streamer::Client.new(@upstream.url)
  end

  def teardown = @upstream.stop

  def test_a_response_error_finds_what_there_is
    BODIES.each { |body, expected| check(Streamer::ResponseError.new(500, Streamer::Headers.parse(""), body), expected, body) }
  end

  def test_an_upstream_error_finds_the_same
    BODIES.each { |body, expected| check(Streamer::UpstreamError.new(body.dup.force_encoding("UTF-8")), expected, body) }
  end

  def test_however_a_response_is_read_its_error_is_one_of_ours
    ways = [->(r) { r.each_event { nil } }, ->(r) { r.each_value("a") { nil } }, ->(r) { r.each_frames(Streamer::Pipeline.new(value: "a")) { nil } },
            ->(r) { r.ensure_success! }]
    BODIES.each do |body, expected|
      %w[application/json text/html text/plain;charset=x application/octet-stream].zip(ways) do |type, way|
        @upstream.on("/") { |exchange| exchange.answer(body, status: 500, type: type, headers: { "x-request-id" => "r" }) }
        error = assert_raises(Streamer::ResponseError, body) { way.call(@client.get("/")) }
        check(error, expected, "#{type} #{body}")
        assert_equal [500, "r", Encoding::UTF_8, true], [error.status, error.request_id, error.body.encoding, error.body.valid_encoding?], body
      end
    end
  end

  private

  def check(error, (type, code, reason), body)
    assert_equal [type, code], [error.type, error.code], body.inspect
    reason == :any ? error.reason : (reason.nil? ? assert_nil(error.reason, body.inspect) : assert_equal(reason, error.reason, body.inspect))
    assert_predicate error.message, :valid_encoding?
    assert_includes error.message, error.reason if error.reason
    assert_operator error.message.size, :<, 500
  end
end
