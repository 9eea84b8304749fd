# frozen_string_literal: true

require "test_helper"
require "oracle/pipeline"
require "support/seed"
require "support/splits"
require "support/streams"
require "support/transcripts"

# Pipeline against its three stages composed in Ruby.
class PipelineTest < Minitest::Test
  include Seed

  CONTENT = "choices.0.delta.content"

  def test_an_openai_response_becomes_frames_at_every_split
    expected = Oracle::Pipeline.run(Streams::OPENAI, paths: [CONTENT], event: "token", done: "[DONE]")
    assert_equal 4, expected.scan("event: token").size
    assert_same_at_every_split(expected, Streams::OPENAI, value: CONTENT, event: "token")
  end

  def test_an_anthropic_response_becomes_frames_at_every_split
    expected = Oracle::Pipeline.run(Streams::ANTHROPIC, paths: ["delta.text"])
    assert_equal 2, expected.scan("data:").size
    assert_same_at_every_split(expected, Streams::ANTHROPIC, value: "delta.text")
  end

  def test_a_gemini_response_becomes_frames_at_every_split
    path = "candidates.0.content.parts.0.text"
    assert_same_at_every_split(Oracle::Pipeline.run(Streams::GEMINI, paths: [path]), Streams::GEMINI, value: path)
  end

  def test_several_values_share_a_frame
    paths = ["delta.text", "type", "usage.output_tokens"]
    expected = Oracle::Pipeline.run(Streams::ANTHROPIC, paths: paths, event: "part")
    assert_same_at_every_split(expected, Streams::ANTHROPIC, value: paths, event: "part")
  end

  def test_text_alone
    pipeline = Streamer::Pipeline.new(value: CONTENT, event: "token", frame: :text)
    assert_equal Oracle::Pipeline.run(Streams::OPENAI, paths: [CONTENT], event: "token", done: "[DONE]", frame: :text),
                 pipeline.feed(Streams::OPENAI)
  end

  def test_without_a_path_every_event_passes_through
    Transcripts.all.each do |transcript|
      expected = transcript.events
      Splits.each(transcript.bytes) do |name, reads|
        pipeline = Streamer::Pipeline.new
        events = Oracle::EventStream.new(reads.map { |read| pipeline.feed(read) }.join).events
        assert_equal expected.map(&:to_a), events.map(&:to_a), "#{transcript.location}, #{name}"
      end
    end
  end

  def test_the_end_marker_gives_no_frame
    pipeline = Streamer::Pipeline.new(value: CONTENT)
    refute_predicate pipeline, :done?
    assert_equal "", pipeline.feed("data: [DONE]\n\n")
    assert_predicate pipeline, :done?
  end

  def test_frames_are_utf8_and_valid
    frames = Streamer::Pipeline.new(value: "a").feed("data: {\"a\":\"\xFFü\\ud83d\"}\n\n".b)
    assert_equal Encoding::UTF_8, frames.encoding
    assert_predicate frames, :valid_encoding?
    assert_equal "data: {\"a\":\"\uFFFDü\\ud83d\"}\n\n", frames
  end

  def test_values_from_events_of_one_type
    stream = "event: text\ndata: {\"delta\":\"a\",\"n\":1}\n\nevent: thought\ndata: {\"delta\":\"b\",\"n\":2}\n\ndata: {\"delta\":\"c\"}\n\n"
    pipeline = Streamer::Pipeline.new(value: "delta", from: "text", keep: { n: "n" }, collect: 100)
    assert_equal "data: {\"delta\":\"a\"}\n\n", pipeline.feed(stream)
    assert_equal ["a", { n: 2 }], [pipeline.text, pipeline.kept]
  end

  # Proxies and servers leave `event` lines out that APIs have beside the types in their data.
  def test_the_type_of_an_event_may_be_in_its_data
    events = ['{"type":"text","delta":"a"}', '{"delta":"b","type":"thought"}', '{"type":["text"],"delta":"c"}', '{"type":"end","delta":"d"}']
    options = { value: "delta", from: %w[text end], done: { event: "end" }, collect: 100 }
    pipeline = Streamer::Pipeline.new(**options)
    assert_equal "data: {\"delta\":\"a\"}\n\n", pipeline.feed("data: #{events[0]}\n\ndata: #{events[1]}\n\ndata: #{events[2]}\n\n")
    refute_predicate pipeline, :done?
    assert_equal "data: {\"delta\":\"d\"}\n\n", pipeline.feed("data: #{events[3]}\n\n")
    assert_predicate pipeline, :done?

    pipeline = Streamer::Pipeline.new(**options)
    assert_equal "", pipeline.feed("event: other\ndata: #{events[0]}\n\nevent: other\ndata: #{events[3]}\n\n"), "the event's own type counts"
    assert_raises(Streamer::TruncatedError) { pipeline.finish }

    pipeline = Streamer::Pipeline.new(**options)
    error = assert_raises(Streamer::UpstreamError) { pipeline.feed("data: {\"type\":\"error\",\"message\":\"no\"}\n\n") }
    assert_includes error.message, "no"
  end

  def test_what_is_kept_may_be_cut_within_a_surrogate_pair_or_have_a_key_twice
    pipeline = Streamer::Pipeline.new(keep: { text: "text", usage: "usage" })
    pipeline.feed('data: {"text":"a\ud83d","usage":{"n":1,"n":2}}' "\n\n")
    assert_equal({ text: "a\uFFFD", usage: { "n" => 2 } }, pipeline.kept)
  end

  def test_a_read_without_a_whole_event_gives_an_empty_string
    pipeline = Streamer::Pipeline.new(value: "a")
    assert_equal "", pipeline.feed("")
    assert_equal "", pipeline.feed("data: {\"a\"")
    assert_equal "data: {\"a\":1}\n\n", pipeline.feed(":1}\n\n")
  end

  def test_values_of_every_kind
    { '"s"' => '"s"', "1" => "1", "-1.50e3" => "-1.50e3", "true" => "true", "false" => "false", "[1, 2]" => "[1,2]", '{"b": {}}' => '{"b":{}}' }
      .each do |json, written|
        assert_equal "data: {\"a\":#{written}}\n\n", Streamer::Pipeline.new(value: "a").feed("data: {\"a\": #{json}}\n\n")
      end
    assert_equal "", Streamer::Pipeline.new(value: "a").feed("data: {\"a\":null}\n\n")
  end

  def test_an_event_name_that_sse_cannot_carry_is_refused
    ["a\nb", "a\rdata: x", "a\0"].each { |name| assert_raises(ArgumentError) { Streamer::Pipeline.new(value: "a", event: name) } }
  end

  def test_a_path_that_cannot_be_is_refused
    ["", "a..b"].each { |path| assert_raises(ArgumentError) { Streamer::Pipeline.new(value: path) } }
  end

  def test_broken_json_is_an_error_that_carries_the_frames_before_it
    pipeline = Streamer::Pipeline.new(value: "a")
    error = assert_raises(Streamer::InvalidJSONError) { pipeline.feed("data: {\"a\":1}\n\ndata: {\"a\":2}\n\ndata: oops\n\ndata: {\"a\":3}\n\n") }
    assert_equal "data: {\"a\":1}\n\ndata: {\"a\":2}\n\n", error.frames
    assert_raises(Streamer::InvalidJSONError) { pipeline.feed("data: {\"a\":4}\n\n") }
  end

  def test_limits_name_themselves_and_carry_the_frames_before
    good = "data: {\"a\":1}\n\n"
    error = assert_raises(Streamer::LineTooLongError) { Streamer::Pipeline.new(value: "a", max_line: 30).feed("#{good}data: #{"x" * 40}\n\n") }
    assert_match(/max_line/, error.message)
    assert_equal good, error.frames
    error = assert_raises(Streamer::EventTooLargeError) { Streamer::Pipeline.new(value: "a", max_event: 30).feed("#{good}data: #{"x" * 40}\n\n") }
    assert_match(/max_event/, error.message)
    assert_equal good, error.frames
  end

  def test_it_counts
    pipeline = Streamer::Pipeline.new(value: CONTENT)
    pipeline.feed(Streams::OPENAI)
    assert_equal [6, 4], [pipeline.events, pipeline.frames]
  end

  def test_noise_passes_through_as_the_oracle_says
    rounds(300) do |random|
      bytes = Streams.noise(random)
      pipeline = Streamer::Pipeline.new
      out = Splits.random(bytes, random, 12).map { |read| pipeline.feed(read) }.join
      assert_equal Oracle::EventStream.new(bytes).events.map(&:to_a), Oracle::EventStream.new(out).events.map(&:to_a), bytes.inspect
    end
  end

  private

  def assert_same_at_every_split(expected, bytes, **options)
    Splits.each(bytes) do |name, reads|
      pipeline = Streamer::Pipeline.new(**options)
      assert_equal expected, reads.map { |read| pipeline.feed(read) }.join, name
    end
  end
end
