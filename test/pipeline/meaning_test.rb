# frozen_string_literal: true

require "test_helper"
require "support/splits"

# What a stream means, said once for whoever reads it: a Decoder's events, its values, and a Pipeline's frames.
class MeaningTest < Minitest::Test
  CONTENT = "choices.0.delta.content"
  FAILED = '{"error":{"code":502,"message":"Provider returned error"},"choices":[{"delta":{"content":%s},"finish_reason":"error"}]}'

  def test_an_error_is_raised_whatever_paths_were_asked_for
    stream = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: #{format(FAILED, '""')}\n\ndata: [DONE]\n\n"
    [{ value: CONTENT }, { value: { c: CONTENT, f: "choices.0.finish_reason" } }, { value: "nothing" }, { value: CONTENT, frame: :text },
     { value: "choices.0.finish_reason", frame: :text }, {}, { frame: :raw }, { frame: :raw, value: CONTENT },
     { keep: { f: "choices.0.finish_reason" } },
     { keep: { f: "model" }, value: CONTENT }, { value: CONTENT, from: "message" }, { value: CONTENT, from: "other" }].each do |options|
      Splits.each(stream) do |name, reads|
        pipeline = Streamer::Pipeline.new(**options)
        error = assert_raises(Streamer::UpstreamError, "#{options}, #{name}") { reads.each { |read| pipeline.feed(read) } and pipeline.finish }
        assert_equal 502, error.json.dig("error", "code"), options
      end
    end
  end

  def test_values_of_an_event_raise_its_error_whatever_the_path
    [CONTENT, "choices.0.finish_reason", "error.code", "nothing"].each do |path|
      [FAILED % '""', FAILED % "null", '{"id":1,"error":"overloaded","choices":[]}'].each do |data|
        assert_raises(Streamer::UpstreamError, "#{path} of #{data}") { values("data: #{data}\n\ndata: [DONE]\n\n", path) }
        assert_raises(Streamer::UpstreamError, "#{path} of #{data}") { values("#{data}\n", path, format: :ndjson) }
        assert_raises(Streamer::UpstreamError, "#{path} of #{data}") { values("[{},#{data}]", path, format: :json) }
      end
    end
    assert_raises(Streamer::UpstreamError) { Streamer::Decoder.new(error: "error").feed("data: #{FAILED % '"x"'}\n\n") }
  end

  def test_text_beside_an_error_comes_first
    stream = "data: #{FAILED % '"last words"'}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"no more\"}}]}\n\n"
    found = []
    assert_raises(Streamer::UpstreamError) { values(stream, CONTENT) { |value| found << value } }
    assert_equal ["last words"], found
    { { value: CONTENT } => "data: {\"content\":\"last words\"}\n\n",
      { value: CONTENT, frame: :text } => "data: last words\n\n" }.each do |options, frames|
      pipeline = Streamer::Pipeline.new(**options, collect: 100)
      error = assert_raises(Streamer::UpstreamError) { pipeline.feed(stream) }
      assert_equal [frames, "last words"], [error.frames, pipeline.text]
      assert_raises(Streamer::UpstreamError) { pipeline.feed("") }
    end
  end

  def test_what_says_nothing_is_no_error
    ["null", "false", '""'].each do |nothing|
      data = "{\"error\":#{nothing},\"a\":1}"
      assert_equal [1], values("data: #{data}\n\n", "a")
      assert_equal "data: #{data}\n\n", Streamer::Pipeline.new.feed("data: #{data}\n\n")
    end
  end

  def test_the_word_in_a_text_or_elsewhere_is_no_error
    ['{"a":"an \"error\": {}"}', '{"a":"x","b":{"error":1}}', '{"a":"x","finish_reason":"error"}', '{"a":"x","errors":[1]}'].each do |data|
      assert_equal 1, values("data: #{data}\n\n", "a").size, data
      assert_equal "data: #{data}\n\n", Streamer::Pipeline.new.feed("data: #{data}\n\n")
    end
    assert_equal "data: {\"error\":1}\n\n", Streamer::Pipeline.new(format: :text).feed('{"error":1}')
  end

  KEPT_ALIVE = "event: ping\ndata: 1764273600\n\nevent: ping\ndata: {\n\nevent: heartbeat\ndata: now\n\nevent: keepalive\ndata: 2026\n\n" \
               "event: keep-alive\ndata: x\n\nevent: PING\ndata: x\n\nevent: KeepAlive\ndata: x\n\nevent: keep_alive\ndata: x\n\n" \
               "data:\n\ndata:  \n\ndata: { \"type\": \"ping\" }\n\ndata: {\"type\":\"Keep-Alive\"}\n\n: comment\n\n"

  def test_what_keeps_a_connection_alive_is_passed_over_before_it_is_parsed
    stream = "#{KEPT_ALIVE}data: {\"a\":1}\n\n#{KEPT_ALIVE}"
    Splits.each(stream) do |name, reads|
      decoder = Streamer::Decoder.new
      extractor = Streamer::Extractor.new("a")
      found = []
      counts = reads.map { |read| decoder.feed_values(read, extractor) { |value| found << value } }
      assert_equal [[1], 1], [found, counts.sum], name
      [{ value: "a" }, { value: "a", keep: { b: "b" } }].each do |options|
        pipeline = Streamer::Pipeline.new(**options)
        assert_equal "data: {\"a\":1}\n\n", reads.map { |read| pipeline.feed(read) }.join, name
      end
      raw = Streamer::Pipeline.new(frame: :raw, value: "a", keep: { a: "a" })
      assert_equal stream, reads.map { |read| raw.feed(read) }.join, name
      assert_equal({ a: 1 }, raw.kept)
    end
  end

  def test_an_event_says_whether_it_has_content
    events = Streamer::Decoder.new.feed("#{KEPT_ALIVE}data: 1\n\nevent: ping2\ndata: 1\n\nevent: pin\ndata: 1\n\n" \
                                        "data: {\"type\":\"ping\",\"cost\":1}\n\n" \
                                        "data: {\"type\":\"pong\"}\n\ndata: {\"type\":\"\n\n")
    assert_equal ([false] * 12) + ([true] * 6), events.map(&:content?)
    assert_equal [true, false], [Streamer::Event.new(data: "x").content?, Streamer::Event.new(data: "x", type: "ping").content?]
  end

  def test_values_may_be_from_events_of_several_types
    types = %w[response.output_text.delta other response.refusal.delta]
    stream = types.each_with_index.map { |type, n| "event: #{type}\ndata: {\"delta\":\"#{n}\"}\n\n" }.join
    types = %w[response.output_text.delta response.refusal.delta]
    assert_equal "data: 0\n\ndata: 2\n\n", Streamer::Pipeline.new(value: "delta", from: types, frame: :text).feed(stream)
    assert_equal "data: 1\n\n", Streamer::Pipeline.new(value: "delta", from: "other", frame: :text).feed(stream)
    assert_raises(ArgumentError) { Streamer::Pipeline.new(value: "delta", from: Array.new(9) { |n| "t#{n}" }) }
  end

  GEMINI = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hidden\",\"thought\":true}," \
           "{\"text\":\"Hel\"},{\"functionCall\":{}},{\"text\":\"lo\\n\"}]}}]}\n\n" \
           "data: {\"candidates\":[{\"content\":{\"parts\":[{\"thought\":true,\"text\":\"more\"}]}}]}\n\n" \
           "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n"

  def test_the_strings_of_a_star_are_joined_in_frames
    path = "candidates.0.content.parts.*{!thought}.text"
    Splits.each(GEMINI) do |name, reads|
      { json: "data: {\"text\":\"Hello\\n\"}\n\n", text: "data: Hello\ndata:\n\n" }.each do |frame, expected|
        pipeline = Streamer::Pipeline.new(value: path, frame: frame, collect: 100, keep: { parts: "candidates.0.content.parts.*.text" })
        assert_equal expected, reads.map { |read| pipeline.feed(read) }.join, name
        assert_equal ["Hello\n", { parts: ["more"] }], [pipeline.text, pipeline.kept]
      end
    end
    assert_equal [["Hel", "lo\n"]], values(GEMINI, path)
  end

  def test_alternatives_serve_a_string_and_an_array_of_parts
    stream = "data: {\"content\":\"Hel\"}\n\n" \
             "data: {\"content\":[{\"type\":\"thinking\",\"text\":\"hm\"},{\"type\":\"text\",\"text\":\"lo\"}]}\n\ndata: {\"content\":[]}\n\n"
    pipeline = Streamer::Pipeline.new(value: "content|content.*{type=text}.text", frame: :text)
    assert_equal "data: Hel\n\ndata: lo\n\n", pipeline.feed(stream)
    assert_equal ["Hel", ["lo"]], values(stream, "content|content.*{type=text}.text")
  end

  def test_a_kept_value_that_is_too_large_is_told_and_empties_nothing
    pipeline = Streamer::Pipeline.new(value: "a", keep: { usage: "usage", id: "id" })
    large = "x" * (1024 * 1024)
    pipeline.feed("data: {\"usage\":{\"n\":1},\"id\":\"#{"y" * 100_000}\"}\n\n")
    assert_equal [{ "n" => 1 }, 100_000, []], [pipeline.kept[:usage], pipeline.kept[:id].size, pipeline.kept_truncated]
    pipeline.feed("data: {\"usage\":\"#{large}\"}\n\n")
    assert_equal [{ "n" => 1 }, [:usage]], [pipeline.kept[:usage], pipeline.kept_truncated]
    pipeline.feed("data: {\"usage\":{\"n\":2}}\n\n")
    assert_equal [{ "n" => 2 }, []], [pipeline.kept[:usage], pipeline.kept_truncated]
  end

  def test_ceilings_can_be_lowered
    [[{ max_line: 20 }, Streamer::LineTooLongError], [{ max_event: 10 }, Streamer::EventTooLargeError]].each do |options, error|
      [{}, { value: "a" }, { frame: :raw }].each do |others|
        pipeline = Streamer::Pipeline.new(**options, **others)
        assert_raises(error) { pipeline.feed("data: {\"a\":\"#{"x" * 30}\"}\n\n") }
      end
      assert_raises(error) { Streamer::Decoder.new(**options).feed("data: {\"a\":\"#{"x" * 30}\"}\n\n") }
    end
    [0, -1, 1.5, "1", 2**70].each { |bytes| assert_raises(ArgumentError, bytes.inspect) { Streamer::Pipeline.new(max_event: bytes) } }
  end

  def test_a_document_without_any_of_the_values_is_unwanted_and_one_of_several_is_not
    assert_equal :unwanted, assert_raises(Streamer::UpstreamError) { values('{"b":1}', "a", format: :json) }.origin
    assert_equal [2], values('{"b":1}{"a":2}', "a", format: :json)
    assert_empty values('[{"b":1}]', "a", format: :json)
    assert_equal "data: {\"b\":1}\n\n", Streamer::Pipeline.new(format: :json).then { |pipeline| pipeline.feed('{"b":1}') + pipeline.finish }
  end

  def test_paths_and_names_may_be_in_any_encoding
    pipeline = Streamer::Pipeline.new(value: "ä.ö".encode("UTF-16LE"), keep: { "ü" => "ä.ö".b }, event: "é".encode("ISO-8859-1"))
    assert_equal "event: é\ndata: {\"ö\":1}\n\n", pipeline.feed("data: {\"ä\":{\"ö\":1}}\n\n")
    assert_equal({ "ü" => 1 }, pipeline.kept)
    assert_equal 1, Streamer::Extractor.new("ä".b).call('{"ä":1}')
  end

  def test_what_goes_wrong_once_goes_wrong_again
    decoder = Streamer::Decoder.new(error: "error")
    extractor = Streamer::Extractor.new("a")
    2.times { assert_raises(Streamer::InvalidJSONError) { decoder.feed_values("data: {oops\n\n", extractor) { flunk } } }
  end

  private

  def values(bytes, path, format: :sse, &block)
    decoder = Streamer::Decoder.new(format: format, error: "error")
    extractor = Streamer::Extractor.new(path)
    found = []
    block ||= found.method(:<<)
    decoder.feed_values(bytes, extractor, &block)
    decoder.finish_values(extractor, &block)
    found
  end
end
