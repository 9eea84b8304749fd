# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# How an answer is read follows from its media type, and from `format:` where one is given.
module FormatTests
  TOKEN = ->(text) { { message: { content: text }, done: text.empty? } }

  def setup
    @upstream = upstream
    @client = Streamer::Client.new(@upstream.url, timeouts: { connect: 20, total: 60 })
  end

  def test_ndjson
    %w[application/x-ndjson application/jsonl application/stream+json].each do |type|
      body = ["Hel", "l\u00F6", ""].map { |text| JSON.generate(TOKEN[text]) }.join("\n")
      serve(body, type, split: 7)
      assert_equal ["Hel", "l\u00F6", ""], get.each_value("message.content").to_a, type
      assert_equal [false, false, true], get.each_event.map { |event| event.json["done"] }, type
      assert_equal ["data: {\"content\":\"Hel\"}", "data: {\"content\":\"l\u00F6\"}", "data: {\"content\":\"\"}"],
                   get.each_frames(Streamer::Pipeline.new(value: "message.content")).to_a.join.split("\n\n"), type
    end
  end

  def test_a_json_array
    body = JSON.pretty_generate([{ a: 1 }, { b: 2 }, { a: 3 }])
    serve(body, "application/json; charset=UTF-8", split: 5)
    assert_equal [1, 3], get.each_value("a").to_a
    assert_equal [{ "a" => 1 }, { "b" => 2 }, { "a" => 3 }], get.each_event.map(&:json)
    assert_equal "data: {\"a\":1}\n\ndata: {\"a\":3}\n\n", get.each_frames(Streamer::Pipeline.new(value: "a")).to_a.join
  end

  def test_an_element_of_a_json_array_comes_before_the_next
    @upstream.on("/") { |exchange| exchange.head(type: "application/json").chunk("[{\"a\":1}\n").stall }
    values = []
    get.each_value("a") do |value|
      values << value
      break
    end
    assert_equal [1], values
  end

  def test_a_json_document_is_one_event
    serve("{\n\"a\": 1\n}", "application/json")
    assert_equal [{ "a" => 1 }], get.each_event.map(&:json)
    assert_equal [1], get.each_value("a").to_a
  end

  def test_a_json_document_without_the_value_is_no_stream
    serve("{\"choices\":[{\"message\":{\"content\":\"whole\"}}]}", "application/json")
    [-> { get.each_value("choices.0.delta.content").to_a },
     -> { get.each_frames(Streamer::Pipeline.new(value: "choices.0.delta.content")).to_a }].each do |read|
      error = assert_raises(Streamer::ResponseError, &read)
      assert_equal [200, "whole"], [error.status, error.json.dig("choices", 0, "message", "content")]
      assert_match(/one JSON document/, error.message)
    end
  end

  def test_text_comes_as_it_is_read_with_no_character_cut
    text = "one\r\ntw\u00F6\u20AC\u{1F600}"
    serve(text, "text/plain; charset=utf-8", split: 1)
    pieces = get.each_event.map(&:data)
    assert_equal text, pieces.join
    assert_empty(pieces.reject(&:valid_encoding?))
    frames = Streamer::Decoder.new.feed(get.each_frames(Streamer::Pipeline.new).to_a.join)
    assert_equal text.gsub("\r\n", "\n"), frames.map(&:data).join
  end

  def test_text_has_no_values
    serve("text", "text/plain")
    [-> { get.each_value("a").to_a }, -> { get.each_frames(Streamer::Pipeline.new(value: "a")).to_a }].each do |read|
      error = assert_raises(Streamer::ResponseError, &read)
      assert_match(%r{text/plain}, error.message)
    end
    assert_raises(ArgumentError) { get.each_value("a", format: :text) { flunk } }
  end

  def test_a_format_that_is_given_counts_and_the_media_type_does_not
    serve("{\"a\":1}\n{\"a\":2}\n", "text/html")
    assert_raises(Streamer::ResponseError) { get.each_value("a").to_a }
    assert_equal [1, 2], get.each_value("a", format: :ndjson).to_a
    assert_equal 2, get.each_event(format: :ndjson).count
    assert_equal "data: {\"a\":1}\n\ndata: {\"a\":2}\n\n", get.each_frames(Streamer::Pipeline.new(format: :ndjson, value: "a")).to_a.join
    assert_equal "{\"a\":1}\n{\"a\":2}\n", get.each_event(format: :text).map(&:data).join
  end

  def test_json_under_the_media_type_of_an_event_stream
    serve("{\"a\":1}", "text/event-stream")
    assert_equal [1], get.each_value("a").to_a
    assert_empty get.each_value("a", format: :sse).to_a
  end

  def test_no_media_type_is_an_event_stream_or_json
    { "data: {\"a\":1}\n\n" => [1], "[{\"a\":1},{\"a\":2}]" => [1, 2] }.each do |body, values|
      @upstream.on("/") { |exchange| exchange.raw("HTTP/1.1 200 OK\r\ncontent-length: #{body.bytesize}\r\n\r\n#{body}") }
      assert_equal values, get.each_value("a").to_a
    end
  end

  def test_no_content_at_all
    @upstream.on("/") { |exchange| exchange.raw("HTTP/1.1 204 No Content\r\n\r\n") }
    assert_empty get.each_event.to_a
    assert_empty get.each_frames(Streamer::Pipeline.new(value: "a")).to_a
  end

  def test_another_format_in_an_encoding_is_refused
    @upstream.on("/") do |exchange|
      exchange.answer(Zlib.gzip("{\"a\":1}\n"), type: "application/x-ndjson", headers: { "content-encoding" => "gzip" })
    end
    assert_match(/gzip/, assert_raises(Streamer::ResponseError) { get.each_value("a").to_a }.message)
    assert_equal ["identity"] * 1, @upstream.requests.map { |request| request.headers["accept-encoding"] }
  end

  private

  def get = @client.get("/")

  def serve(body, type, split: nil)
    @upstream.on("/") do |exchange|
      exchange.head(type: type)
      body.b.each_char.each_slice(split || body.bytesize) { |piece| exchange.chunk(piece.join) }
      exchange.finish
    end
  end
end

class FormatsOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include FormatTests
end

class FormatsInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include FormatTests
end

class FormatsInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include FormatTests
end
