# frozen_string_literal: true

require "test_helper"
require "oracle/event_stream"
require "oracle/formats"
require "oracle/frame"
require "oracle/json_path"
require "support/allocations"
require "support/seed"
require "support/splits"

# Pipelines of bodies that are no event streams, and what grows within one.
class PipelineFormatsTest < Minitest::Test
  include Allocations

  ARGUMENTS = "choices.0.delta.tool_calls.0.function.arguments"
  NAME = "choices.0.delta.tool_calls.0.function.name"

  def test_ndjson_at_every_split
    body = "{\"message\":{\"content\":\"H\u00E9\"}}\n{\"message\":{}}\n{\"message\":{\"content\":\"y\\n\"}}"
    expected = oracle(Oracle::Formats.ndjson(body), "message.content")
    assert_at_every_split(expected, body, format: :ndjson, value: "message.content", event: "token")
  end

  def test_a_json_array_at_every_split
    body = JSON.pretty_generate(%w[Hel lo].map { |text| { candidates: [{ content: { parts: [{ text: text }] } }] } })
    expected = oracle(Oracle::Formats.json(body).map { |element| JSON.generate(element) }, "candidates.0.content.parts.0.text")
    assert_at_every_split(expected, body, format: :json, value: "candidates.0.content.parts.0.text", event: "token")
  end

  def test_text_passes_with_a_name_and_numbers_and_is_gathered
    pipeline = Streamer::Pipeline.new(format: :text, event: "line", id_prefix: "l-", collect: 100)
    assert_equal "event: line\nid: l-1\ndata: one\ndata: two\n\n", pipeline.feed("one\r\ntwo\r")
    assert_equal "event: line\nid: l-2\ndata:\ndata: three\n\n", pipeline.feed("\nthree")
    assert_equal ["one\r\ntwo\r\nthree", false], [pipeline.text, pipeline.text_cut?]
  end

  def test_text_that_does_not_fit_is_told
    pipeline = Streamer::Pipeline.new(value: "a", collect: 3)
    pipeline.feed("data: {\"a\":\"ab\"}\n\n")
    refute_predicate pipeline, :text_cut?
    pipeline.feed("data: {\"a\":\"cd\"}\n\n")
    assert_equal ["ab", true], [pipeline.text, pipeline.text_cut?]
  end

  def test_the_end_gives_the_last_frames
    pipeline = Streamer::Pipeline.new(format: :ndjson, value: "a")
    assert_equal "", pipeline.feed("{\"a\":1}")
    assert_equal "data: {\"a\":1}\n\n", pipeline.finish
    assert_equal "", pipeline.finish
  end

  def test_a_named_end_marker_must_come
    bytes = "data: {\"a\":1}\n\n"
    assert_equal "", Streamer::Pipeline.new(value: "a").tap { |pipeline| pipeline.feed(bytes) }.finish
    { "[DONE]" => "data: [DONE]\n\n", { event: "end" } => "event: end\ndata: {}\n\n", { value: "last" } => "data: {\"last\":true}\n\n" }
      .each do |done, mark|
        pipeline = Streamer::Pipeline.new(value: "a", done: done).tap { |fed| fed.feed(bytes) }
        error = assert_raises(Streamer::TruncatedError, done.inspect) { pipeline.finish }
        assert_kind_of Streamer::ConnectionError, error
        pipeline = Streamer::Pipeline.new(value: "a", done: done).tap { |fed| fed.feed(bytes + mark) }
        assert_equal ["", true], [pipeline.finish, pipeline.done?], done.inspect
      end
  end

  def test_the_last_event_has_its_values
    pipeline = Streamer::Pipeline.new(value: "a", done: { event: "end" }, keep: { usage: "usage" })
    assert_equal "data: {\"a\":1}\n\n", pipeline.feed("event: end\ndata: {\"a\":1,\"usage\":7}\n\n")
    assert_equal({ usage: 7 }, pipeline.kept)
  end

  def test_an_error_event_carries_the_frames_before_it
    pipeline = Streamer::Pipeline.new(value: "a")
    error = assert_raises(Streamer::UpstreamError) do
      pipeline.feed("data: {\"a\":1}\n\nevent: error\n" \
                    "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n")
    end
    assert_equal ["data: {\"a\":1}\n\n", "overloaded_error", "Overloaded"], [error.frames, error.type, error.json.dig("error", "message")]
    assert_match(/Overloaded/, error.message)
    assert_raises(Streamer::UpstreamError) { pipeline.feed("data: {\"a\":2}\n\n") }
  end

  def test_errors_of_known_apis
    { "data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"code\":null}}" => "server_error",
      "event: error\ndata: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"m\"}" => "rate_limit_exceeded",
      "data: {\"id\":\"gen\",\"error\":{\"code\":502,\"message\":\"m\"}," \
      "\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}" => "502",
      "data: {\"error\":{\"code\":429,\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\"}}" => "RESOURCE_EXHAUSTED" }.each do |event, type|
      pipeline = Streamer::Pipeline.new(value: "choices.0.delta.content")
      error = assert_raises(Streamer::UpstreamError, event) { pipeline.feed("#{event}\n\n") }
      assert_equal type, error.type
      assert_match(/: m\z/, error.message)
    end
    pipeline = Streamer::Pipeline.new(format: :ndjson, value: "a")
    error = assert_raises(Streamer::UpstreamError) { pipeline.feed("{\"error\":\"no such model\"}\n") }
    assert_match(/no such model/, error.message)
  end

  def test_an_error_at_another_path
    event = "event: response.failed\n" \
            "data: {\"type\":\"response.failed\",\"response\":{\"id\":1,\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}}\n\n"
    assert_equal "", Streamer::Pipeline.new(value: "delta").feed(event)
    error = assert_raises(Streamer::UpstreamError) { Streamer::Pipeline.new(value: "delta", error: "response.error").feed(event) }
    assert_equal "server_error", error.type
  end

  def test_errors_can_be_events_like_others
    event = "event: error\ndata: {\"error\":1}\n\n"
    assert_equal event, Streamer::Pipeline.new(error: nil).feed(event)
  end

  def test_what_does_not_go_together
    assert_raises(ArgumentError) { Streamer::Pipeline.new(format: :text, value: "a") }
    assert_raises(ArgumentError) { Streamer::Pipeline.new(format: :text, keep: { a: "a" }) }
    assert_raises(ArgumentError) { Streamer::Pipeline.new(format: :ndjson, frame: :raw) }
    assert_raises(ArgumentError) { Streamer::Pipeline.new(format: :csv) }
  end

  def test_arguments_of_a_tool_call_come_as_they_grow
    body = tool_calls
    frames = at_every_split(body, value: { name: NAME, arguments: ARGUMENTS }, event: "tool")
    events = Oracle::EventStream.new(frames).events.map { |event| JSON.parse(event.data) }

    assert_equal({ "name" => "get_weather", "arguments" => "" }, events.first)
    assert_equal "{\"city\":\"Z\u00FCrich \u{1F600}\"}", events.map { |event| event["arguments"] }.join
  end

  def test_text_and_tool_calls_at_once
    body = "data: {\"choices\":[{\"delta\":{\"content\":\"Look: \"}}]}\n\n#{tool_calls}"
    paths = { text: "choices.0.delta.content", arguments: ARGUMENTS, call: "choices.0.delta.tool_calls.0.index" }
    frames = at_every_split(body, value: paths)
    events = Oracle::EventStream.new(frames).events.map { |event| JSON.parse(event.data) }

    assert_equal({ "text" => "Look: " }, events.first)
    assert_equal [0], events.drop(1).map { |event| event["call"] }.uniq
  end

  def test_partial_json_of_anthropic
    body = ["{\\\"ci", "ty\\\":\\\"B", "ern\\\"}"].map do |part|
      "event: content_block_delta\n" \
        "data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"#{part}\"}}\n\n"
    end.join
    pipeline = Streamer::Pipeline.new(value: "delta.partial_json", collect: 1000, done: { event: "message_stop" })
    pipeline.feed(body)
    assert_equal '{"city":"Bern"}', pipeline.text
  end

  def test_no_object_is_made_per_event_of_any_format
    %i[ndjson json].each do |format|
      pipeline = Streamer::Pipeline.new(format: format, value: "a")
      costs = [100, 1000].map do |count|
        bytes = "{\"a\":\"x\",\"b\":[1]}\n" * count
        Array.new(3) { allocations { pipeline.feed(bytes) } }.min
      end
      assert_equal costs.first, costs.last, format
    end
  end

  def test_no_object_is_made_for_events_without_the_value_that_mention_an_error
    pipeline = Streamer::Pipeline.new(value: "a")
    costs = [100, 1000].map do |count|
      bytes = "data: {\"b\":1,\"error\":null}\n\n" * count
      Array.new(3) { allocations { pipeline.feed(bytes) } }.min
    end
    assert_equal costs.first, costs.last
  end

  private

  def tool_calls
    parts = ["", "{\"ci", "ty\":\"Z\u00FC", "rich \u{1F600}", "\"}"]
    parts.each_with_index.map do |part, index|
      function = index.zero? ? { name: "get_weather", arguments: part } : { arguments: part }
      "data: #{JSON.generate({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: function }] } }] })}\n\n"
    end.join
  end

  def oracle(documents, path)
    documents.map do |json|
      found = Oracle::JSONPath.find(json, path)
      next "" if found.equal?(Oracle::JSONPath::MISSING)

      Oracle::Frame.encode(JSON.generate({ Oracle::JSONPath.name(path) => found }), event: "token")
    end.join
  end

  # What every split gives, which is the same.
  def at_every_split(bytes, **options)
    frames = nil
    Splits.each(bytes) do |name, reads|
      pipeline = Streamer::Pipeline.new(**options)
      given = reads.map { |read| pipeline.feed(read) }.join + pipeline.finish
      assert_equal frames ||= given, given, name
    end
    frames
  end

  def assert_at_every_split(expected, bytes, **options)
    assert_equal expected, at_every_split(bytes, **options)
  end
end
