# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# Streams that are no event streams, and ends that are none.
class FormatPeersTest < Minitest::Test
  include Contexts::Threads

  TEXT = "Grüße, \"世界\" 👋"
  SPLITS = [1, 7, :characters, nil].freeze

  # As Ollama has it. Whoever parses each chunk meets half a line.
  def test_a_line_of_ndjson_may_come_in_any_pieces
    lines = TEXT.chars.map { |text| "#{JSON.generate(message: { content: text }, done: false)}\n" }
    each_split([*lines, %({"done":true}\n)].join, "application/x-ndjson") do |response, split|
      assert_equal TEXT, response.each_value("message.content").to_a.join, split.inspect
    end
  end

  # As Gemini has it without alt=sse: elements are there long before the array is closed.
  def test_an_array_comes_element_by_element
    elements = TEXT.chars.map { |text| JSON.generate(candidates: [{ content: { parts: [{ text: text }] } }]) }
    each_split("[#{elements.join(",\r\n")}\n]", "application/json") do |response, split|
      assert_equal TEXT, response.each_value("candidates.0.content.parts.0.text").to_a.join, split.inspect
    end
    server = upstream { |exchange| exchange.head(type: "application/json").chunk("[#{elements.first},").stall }

    assert_equal TEXT[0], Streamer.get(server.url).each_value("candidates.0.content.parts.0.text").first
  end

  # An error where a stream was wanted: with 200, as an event stream, and closed at once. Whoever takes it for a stream that ended asks again.
  def test_an_error_that_says_it_is_a_stream
    body = JSON.generate(error: { message: "no such project", type: "invalid" })
    ["text/event-stream", "application/json"].each do |type|
      server = upstream { |exchange| exchange.answer(body, type: type) }
      error = assert_raises(Streamer::ResponseError) { Streamer.get(server.url).each_value("choices.0.delta.content") { flunk } }

      assert_equal [200, "invalid"], [error.status, error.json.dig("error", "type")], type
      assert_includes error.message, "no such project"
    end
  end

  # An error in the middle is one, whatever form it has.
  def test_an_error_in_the_middle_of_a_stream
    ["event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
     "data: {\"error\":{\"message\":\"Overloaded\",\"type\":\"overloaded_error\"}}\n\n"].each do |frame|
      server = upstream { |exchange| exchange.stream([Upstream.token(0), frame, Upstream.token(1)], split: 1) }
      seen = []
      error = assert_raises(Streamer::UpstreamError) { Streamer.get(server.url).each_value("choices.0.delta.content") { |text| seen << text } }

      assert_equal [["t0 "], 1, "overloaded_error"], [seen, error.delivered, error.type]
      assert_includes error.message, "Overloaded"
    end
  end

  # A body that ends in good order and without its end marker was cut by something in between.
  def test_an_end_that_is_none
    server = upstream { |exchange| exchange.stream([Upstream.token(0)]) }
    seen = []
    error = assert_raises(Streamer::TruncatedError) do
      Streamer.get(server.url).each_value("choices.0.delta.content", done: "[DONE]") { |text| seen << text }
    end

    assert_equal [["t0 "], 1], [seen, error.delivered]
  end

  # The arguments of a tool's call come as text that grows; what is there can be used before it is JSON.
  def test_arguments_of_a_tool_as_they_grow
    pieces = ["{\"ci", "ty\":\"Zür", "ich\"}"]
    frames = pieces.map do |piece|
      "data: #{JSON.generate(choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: piece } }] } }])}\n\n"
    end
    server = upstream { |exchange| exchange.stream(frames, split: :characters) }
    seen = Streamer.get(server.url).each_value("choices.0.delta.tool_calls.0.function.arguments").to_a

    assert_equal pieces, seen
    assert_equal({ "city" => "Zürich" }, JSON.parse(seen.join))
  end

  private

  def each_split(body, type)
    SPLITS.each do |split|
      server = upstream do |exchange|
        exchange.head(type: type)
        Streamer::Testing::Splits.of(body, split).each { |piece| exchange.chunk(piece) }
        exchange.finish
      end
      yield Streamer.get(server.url), split
    end
  end
end
