# frozen_string_literal: true

require "test_helper"
require "support/upstream"

# Text is well-formed UTF-8 whatever it is called, and what is no text is left alone.
class TextTest < Minitest::Test
  def setup
    @upstream = Upstream.new
    @client = Streamer::Client.new(@upstream.url)
  end

  def teardown = @upstream.stop

  UTF_8 = ["caf\u00e9", "caf\u00e9".b].freeze
  BODIES = {
    "text/plain" => UTF_8, "text/plain; charset=utf8" => UTF_8, "text/plain; charset=UTF-8;" => UTF_8, "text/plain; charset=\"utf-8\"" => UTF_8,
    "text/plain;charset='utf-8'" => UTF_8, "Text/Plain ; Charset = x" => UTF_8, "text/html; charset=no-such-thing" => UTF_8,
    "text/plain; charset=locale" => UTF_8, "text/plain; charset=internal" => UTF_8, "text/plain; charset=utf-7" => UTF_8,
    "application/json" => UTF_8, "application/problem+json" => UTF_8, "application/x-ndjson" => UTF_8, "application/atom+xml" => UTF_8,
    "image/x; charset=utf-8" => UTF_8,
    "text/plain; charset=iso-8859-1" => ["caf\u00e9", "caf\xE9".b], "text/plain; charset=latin1" => ["\u20ac", "\x80".b],
    "text/plain; charset=shift_jis" => ["\u3042", "\x82\xA0".b], "text/plain; charset=utf-16" => ["a\u00e9", "a\0\xE9\0".b],
    "text/plain;charset=utf-16be" => ["a\u00e9", "\0a\0\xE9".b],
    "text/plain; charset=us-ascii" => ["caf\u00e9", "caf\xE9".b],
    "text/csv" => ["caf\u{FFFD} \u{FFFD}", "caf\xE9 \xF0\x9F".b], "text/plain; charset=gbk" => ["\u{FFFD}", "\x81".b],
    "text/x" => ["caf\u00e9", "\xEF\xBB\xBFcaf\xC3\xA9".b], "text/y; charset=latin1" => ["a", "\xFF\xFEa\0".b]
  }.freeze

  def test_text_is_well_formed_utf_8
    BODIES.each do |type, (text, bytes)|
      @upstream.on("/") { |exchange| exchange.answer(bytes, type: type) }
      read = @client.get("/").read
      assert_equal [text, Encoding::UTF_8, true], [read, read.encoding, read.valid_encoding?], type
    end
  end

  def test_what_is_no_text_is_what_was_sent
    ["image/png", "application/octet-stream", "application/pdf", "application/x; charset=binary", "nonsense", ""].each do |type|
      bytes = "\xEF\xBB\xBF\x00\xFFcaf\xE9".b
      @upstream.on("/") { |exchange| exchange.answer(bytes, type: type) }
      assert_equal [bytes, Encoding::BINARY], @client.get("/").read.then { |read| [read, read.encoding] }, type
    end
  end

  def test_json_is_parsed_whatever_its_charset
    { "application/json" => "{\"a\":\"\u00e9\"}", "application/json; charset=utf8" => "\u{FEFF}{\"a\":\"\u00e9\"}",
      "text/plain" => "  {\"a\":\"\u00e9\"}\n",
      "application/json; charset=latin1" => "{\"a\":\"\xE9\"}", "" => "{\"a\":\"\u00e9\"}" }.each do |type, body|
      @upstream.on("/") { |exchange| exchange.answer(body.b, type: type) }
      assert_equal({ "a" => "\u00e9" }, @client.get("/").json, type)
    end
    @upstream.on("/") { |exchange| exchange.answer("{\"a\":\"\xE9".b, type: "application/json") }
    assert_raises(Streamer::InvalidJSONError) { @client.get("/").json }
  end

  def test_what_gather_returns_is_text_too
    @upstream.on("/") { |exchange| exchange.answer("caf\xE9 \xC3\xA9".b, type: "text/plain; charset=utf8") }
    @upstream.on("/json") { |exchange| exchange.answer("[\"\u00e9\"]", type: "application/Hal+JSON ; x=y") }
    assert_equal({ a: "caf\u{FFFD} \u00e9", b: ["\u00e9"] }, Streamer.gather(a: @client.request(:get, "/"), b: @client.request(:get, "/json")))
  end
end
