# frozen_string_literal: true

require "test_helper"
require "support/allocations"
require "support/contexts"

# What other readers of event streams make of sizes, line ends and errors.
class BytesPeersTest < Minitest::Test
  include Contexts::Threads
  include Allocations

  VALUE = "choices.0.delta.content"

  # A Hash for each token is what JSON.parse makes, and a dozen Strings.
  def test_a_value_is_one_object
    decoder = Streamer::Decoder.new
    extractor = Streamer::Extractor.new(VALUE)
    few, many = [100, 1000].map { |count| Array.new(count) { |number| Upstream.token(number) }.join }
    costs = [few, many, few, many].map { |bytes| allocations { decoder.feed_values(bytes, extractor) { |value| value } } }

    assert_equal 900, costs[3] - costs[2]
  end

  # Scanners with lines of at most 64 KiB or 1 MiB end here.
  def test_a_large_event_is_no_error_by_default
    data = "x" * (8 << 20)
    server = upstream { |exchange| exchange.stream(["data: #{data}\n\n"]) }

    assert_equal [data.bytesize], Streamer.get(server.url).each_event.map { |event| event.data.bytesize }
  end

  # What Ruby and Python take for the end of a line besides CR and LF is text.
  def test_unicodes_line_ends_are_text
    text = "a\u2028b\u2029c\u0085d\ve\ff"
    server = upstream { |exchange| exchange.stream(["data: #{text}\n\n"], split: 1) }

    assert_equal [text], Streamer.get(server.url).each_event.map(&:data)
  end

  # Whoever parses the first chunk of an error's body, or hands only that on, has "{".
  def test_an_errors_body_is_whole_however_it_arrives
    body = JSON.generate(error: { message: "You exceeded your current quota", type: "insufficient_quota" })
    server = upstream do |exchange|
      exchange.head(status: 429, type: "application/json")
      body.each_char { |character| exchange.chunk(character).pause(0.001) }
      exchange.finish
    end
    ways.each do |way|
      error = assert_raises(Streamer::ResponseError) { way.call(Streamer.get(server.url)) }

      assert_equal [429, body, "insufficient_quota"], [error.status, error.body, error.json.dig("error", "type")]
      assert_includes error.message, "You exceeded your current quota"
    end
  end

  # And whoever parses it unasked raises about JSON, and not about the service.
  def test_an_errors_body_that_is_not_json_is_no_json_error
    server = upstream { |exchange| exchange.answer("<h1>502 Bad Gateway</h1>", status: 502, type: "text/html") }
    ways.each do |way|
      error = assert_raises(Streamer::ResponseError) { way.call(Streamer.get(server.url)) }

      assert_equal ["<h1>502 Bad Gateway</h1>", nil], [error.body, error.json]
    end
  end

  # Ruby's own client asks for gzip, and a proxy between may compress the stream into lumps.
  def test_identity_is_asked_for_also_by_post
    server = upstream { |exchange| exchange.openai(tokens: 1) }
    Streamer.post(server.url, json: {}).each_event.count

    assert_equal "identity", server.requests.last.headers["accept-encoding"]
  end

  private

  def ways
    [->(response) { response.each_event { flunk } }, ->(response) { response.each_value(VALUE) { flunk } },
     ->(response) { response.each_frames(Streamer::Pipeline.new(value: VALUE)) { flunk } }, :ensure_success!.to_proc]
  end
end
