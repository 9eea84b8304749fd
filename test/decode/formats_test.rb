# frozen_string_literal: true

require "test_helper"
require "oracle/formats"
require "support/seed"
require "support/splits"
require "support/streams"

# The decoders of the other formats against oracles, at every split and at random ones.
class DecodeFormatsTest < Minitest::Test
  include Seed

  GEMINI = "[{\n  \"candidates\": [{\"content\": {\"parts\": [{\"text\": \"a]\\\"\u20AC\"}]}}]\n}\r\n,\r\n" \
           "{\"candidates\": [], \"n\": [1, {}]}\n]\n"
  OLLAMA = "{\"response\":\"H\u00E9\",\"done\":false}\r\n\n {\"response\":\"\",\"done\":true} "

  def test_ndjson_at_every_split
    Splits.each(OLLAMA) { |name, reads| assert_equal Oracle::Formats.ndjson(OLLAMA), data(reads, :ndjson), name }
  end

  def test_a_json_array_at_every_split
    expected = Oracle::Formats.json(GEMINI)
    assert_equal 2, expected.size
    Splits.each(GEMINI) { |name, reads| assert_equal expected, parsed(reads), name }
  end

  def test_text_at_every_split
    text = "a\r\nb\u00E9\u20AC\u{1F600}\xE2\x82c\r"
    Splits.each(text) do |name, reads|
      events = data(reads, :text)
      assert_equal Oracle::Formats.text(text.b), events.join, name
      events.each { |event| assert_predicate event, :valid_encoding?, name }
      events[0...-1].each { |event| refute event.end_with?("\r"), name }
    end
  end

  def test_random_documents_in_random_reads
    rounds(200) do |random|
      elements = Array.new(random.rand(6)) { value(random, 3) }
      body = random.rand(2).zero? ? JSON.generate(elements) : JSON.pretty_generate(elements)
      assert_equal Oracle::Formats.json(body), parsed(Splits.random(body, random, 9)), body
    end
  end

  def test_random_lines_in_random_reads
    rounds(200) do |random|
      lines = [JSON.generate(value(random, 2)), " ", "", "\r", "\uFEFF1", "\xFF"].map(&:b)
      body = Array.new(random.rand(8)) { lines.sample(random: random) }.join("\n")
      assert_equal Oracle::Formats.ndjson(body), data(Splits.random(body, random, 9), :ndjson), body.inspect
    end
  end

  def test_noise_as_text
    rounds(200) do |random|
      bytes = Streams.noise(random)
      assert_equal Oracle::Formats.text(bytes), data(Splits.random(bytes, random, 5), :text).join, bytes.inspect
    end
  end

  def test_each_read_of_text_is_an_event
    decoder = Streamer::Decoder.new(format: :text)
    assert_equal ["one"], decoder.feed("one").map(&:data)
    assert_empty decoder.feed("\xE2\x82".b)
    assert_equal ["\u20ACtwo"], decoder.feed("\xACtwo".b).map(&:data)
    assert_empty decoder.finish
  end

  def test_an_element_does_not_wait_for_the_next
    decoder = Streamer::Decoder.new(format: :json)
    assert_equal ["{\"a\":1}"], decoder.feed("[{\"a\":1}").map(&:data)
    assert_equal ["2"], decoder.feed(",2,").map(&:data)
  end

  def test_a_document_is_one_event
    event = Streamer::Decoder.new(format: :json).feed("{\n\"a\": [1]\n}\n").first
    assert_equal ["message", "", { "a" => [1] }], [event.type, event.id, event.json]
  end

  def test_json_that_is_not_closed_is_truncated
    ["[1,", "[{\"a\":1}", "{\"a\":", "\"a"].each do |body|
      assert_raises(Streamer::TruncatedError, body) { Streamer::Decoder.new(format: :json).tap { |decoder| decoder.feed(body) }.finish }
    end
    assert_raises(Streamer::TruncatedError) { Streamer::Decoder.new(format: :ndjson).tap { |decoder| decoder.feed("{}\n{\"a\":") }.finish }
  end

  def test_what_is_no_json_is_an_error
    assert_raises(Streamer::InvalidJSONError) { Streamer::Decoder.new(format: :json).feed("<html>") }
  end

  def test_limits
    assert_raises(Streamer::LineTooLongError) { Streamer::Decoder.new(format: :ndjson, max_line: 4).feed("12345\n") }
    assert_raises(Streamer::EventTooLargeError) { Streamer::Decoder.new(format: :json, max_event: 4).feed("[12345") }
    assert_equal %w[1234 5], Streamer::Decoder.new(format: :text, max_event: 4).feed("12345").map(&:data)
  end

  def test_what_a_block_leaves_is_there_at_the_finish
    decoder = Streamer::Decoder.new(format: :ndjson)
    decoder.feed("1\n2\n3") { break }
    assert_equal %w[2 3], decoder.finish.map(&:data)
  end

  def test_an_event_stream_discards_what_is_unfinished_at_the_finish
    decoder = Streamer::Decoder.new
    decoder.feed("data: a\n")
    assert_empty decoder.finish
  end

  def test_the_format_is_one_of_some
    error = assert_raises(ArgumentError) { Streamer::Decoder.new(format: :xml) }
    assert_match(/:ndjson.*:xml/, error.message)
  end

  def test_the_end_marker_is_required_only_where_it_is_named
    assert_empty Streamer::Decoder.new.tap { |decoder| decoder.feed("data: a\n\n") }.finish
    assert_raises(Streamer::TruncatedError) { Streamer::Decoder.new(done: "[DONE]").tap { |decoder| decoder.feed("data: a\n\n") }.finish }
    decoder = Streamer::Decoder.new(done: { event: %w[stop end] })
    decoder.feed("event: end\ndata: a\n\n")
    assert_predicate decoder, :done?
    assert_empty decoder.finish
  end

  def test_an_error_is_kept_up_to_a_ceiling_and_whole_characters
    decoder = Streamer::Decoder.new(error: "error")
    error = assert_raises(Streamer::UpstreamError) { decoder.feed("event: error\ndata: #{"\u20AC" * 100_000}\n\n") }
    assert_equal "\u20AC" * 21_845, error.data.delete_suffix("\uFFFD")
    assert_predicate error.data, :valid_encoding?
  end

  def test_media_types
    assert_equal :ndjson, Streamer::Decoder.format_of("application/x-ndjson; charset=utf-8")
    assert_equal :sniffed, Streamer::Decoder.format_of(nil)
    assert_nil Streamer::Decoder.format_of("text/html")
  end

  def test_what_an_end_marker_cannot_be
    [:done, {}, { type: "a" }, 7].each { |done| assert_raises(ArgumentError, done.inspect) { Streamer::Decoder.new(done: done) } }
  end

  private

  def decode(reads, format)
    decoder = Streamer::Decoder.new(format: format)
    reads.flat_map { |read| decoder.feed(read) } + decoder.finish
  end

  def data(reads, format) = decode(reads, format).map(&:data)

  def parsed(reads) = data(reads, :json).map { |json| JSON.parse(json, max_nesting: false) }

  def value(random, depth)
    scalars = [nil, true, random.rand(1000), -1.5e3, "[{\"", "\\", "\u20AC\n", ""]
    return scalars.sample(random: random) if depth.zero?

    case random.rand(3)
    when 0 then Array.new(random.rand(4)) { value(random, depth - 1) }
    when 1 then Array.new(random.rand(4)) { |index| ["k]#{index}", value(random, depth - 1)] }.to_h
    else value(random, 0)
    end
  end
end
