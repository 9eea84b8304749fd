# frozen_string_literal: true

require "test_helper"
require "oracle/event_stream"
require "support/browser"
require "support/streams"
require "support/transcripts"
require "support/upstream"

# Chromium's own EventSource is the judge of decode and encode: it gets the bytes that the decoder gets, and must dispatch
# the same events. That reads cut anywhere change nothing is shown in test/decode.
#
# In three places Chromium leaves the standard and the decoder does not. Tests hold them, and fail when Chromium changes:
# - a CR or LF right after the byte order mark does not end a line (the mark is no part of the stream, so it should);
# - `retry` without a value sets the time back to 3 s (nothing in the standard does);
# - `retry` above 2^64 - 1 is ignored (the standard knows no largest number).
class BrowserGrammarTest < Minitest::Test
  RANDOM_STREAMS = 250 # of each kind
  MARK = "\xEF\xBB\xBF".b

  # Without a time from the server Chromium waits this long.
  DEFAULT_RETRY = 3000
  # How much later a request may arrive on a busy machine (ms).
  SLACK = 2900

  TEXTS = ["", "a", "two\nlines", "a\r\nb", "a\rb", "\n", "\r", "\r\n", "\n\r", "\n\n", "a\n", "\na", " leading", "  two",
           "trailing ", "\ttab", ": colon", ":", "data: x\n\ndata: y", "id: 9\nevent: x", "retry: 1", "\0", "a\0b",
           "é…\u{1F600}", "e\u0301", "\uFEFF", "\uFEFFdata: x", "\u2028\u2029\u0085\v\f", "\u{10FFFF}\uFFFE",
           "{\"a\":\"\\n\"}", "x" * 100_000].freeze
  FIELDS = ["token", "two words", " leading", "trailing ", ":", "a: b", "data", "error", "open", "tökén \u{1F600}", "\uFEFF",
            "\t", "\u2028"].freeze

  def setup
    @streams = {}
    @upstream = Upstream.new do |exchange|
      exchange.answer(@streams.fetch(exchange.request.path), type: "text/event-stream")
    end
    @upstream.on("/") { |exchange| exchange.answer("<!doctype html><link rel=icon href=data:,>", type: "text/html") }
    @page = Browser.open(@upstream.url("/"))
  end

  def teardown
    @page&.close
    @upstream.stop
  end

  def test_every_case_of_the_fixtures_is_decoded_as_chromium_decodes_it
    cases = Transcripts.all.to_h { |transcript| ["#{transcript.location}, #{transcript.name}", transcript.bytes] }

    assert_decoded_as_in_chromium(cases)
  end

  def test_random_streams_are_decoded_as_chromium_decodes_them
    cases = Array.new(RANDOM_STREAMS) { |round| Minitest.seed + round }.flat_map do |seed|
      [["noise, Random.new(#{seed})", Streams.noise(Random.new(seed))], ["lines, Random.new(#{seed})", Streams.lines(Random.new(seed))]]
    end.to_h

    assert_decoded_as_in_chromium(cases)
  end

  def test_a_line_end_after_the_byte_order_mark_ends_a_line_but_not_in_chromium
    ["\n", "\r"].each do |line_end|
      bytes = "#{MARK}#{line_end}data: a\n\ndata: b\n\n".b

      assert_equal %w[a b], decode(bytes).map(&:data)
      assert_equal %w[b], receive([bytes]).first.map(&:data)
    end
  end

  def test_frames_of_the_encoder_arrive_as_the_text_that_was_encoded
    stream = TEXTS.map { |text| encode(text) }.join(Streamer::Encoder.comment("data: lost\n\ndata: lost"))

    assert_equal TEXTS.map { |text| arrived(text) }, receive([stream]).first
  end

  def test_random_texts_arrive_as_they_were
    random = Random.new(Minitest.seed)
    texts = Array.new(200) { Array.new(random.rand(8)) { TEXTS[..-2].sample(random: random) }.join }

    assert_equal texts.map { |text| arrived(text) }, receive([texts.map { |text| encode(text) }.join]).first
  end

  def test_types_and_ids_arrive_as_they_were
    stream = FIELDS.flat_map { |field| [encode("x", event: field), encode("y", id: field)] }.join
    id = ""
    expected = FIELDS.flat_map { |field| [arrived("x", type: field, id: id), arrived("y", id: id = field)] }

    assert_equal expected, receive([stream]).first
  end

  def test_a_frame_without_data_sets_the_id_and_an_empty_id_resets_it
    stream = [encode("a"), encode(nil, id: "5", event: "lost"), encode("b"), encode(nil, id: ""), encode("c")].join

    assert_equal [arrived("a"), arrived("b", id: "5"), arrived("c")], receive([stream]).first
  end

  def test_ill_formed_text_is_encoded_as_chromium_would_have_read_it
    random = Random.new(Minitest.seed)
    texts = Array.new(200) { Array.new(random.rand(1..6)) { Streams::VALUES.sample(random: random) }.join }
    raw, encoded = receive([texts.map { |text| "data: ".b + text + "\n\n" }.join, texts.map { |text| encode(text) }.join])

    assert_equal texts.size, raw.size
    assert_equal raw, encoded
  end

  def test_the_browser_comes_back_with_the_last_event_id_and_after_the_time_of_the_decoder
    streams = [
      "retry: 0\nid: 1\ndata: a\n\n",
      "retry: 6000\nid: 1\ndata: a\n\nid: 2\ndata: unfinished",
      "retry: 6000\nretry: 9000",
      "retry: 9000\nretry: 06000\nid: 5\n\n",
      "retry: 6000\nretry: 10x\nretry: -1\nretry:  1\nretry: 1 \nretry: +1\nretry: 1.5\nretry: \u0661\n",
      "retry: 6000\nid: 5\ndata: a\n\nid\ndata: b\n\n",
      "retry: 6000\rid: 5\r\rid: 6\0\rdata: a\r\r",
      "retry: 6000\nid:  \u2026 7 \ndata: a\n\n",
      "retry: 6000\nid: a\xFFb\n\n",
      encode("a", id: "é: 1", retry: 6000)
    ].map(&:b)

    reconnections(streams).zip(streams) do |(waited, id), bytes|
      decoder = Streamer::Decoder.new
      decoder.feed(bytes)

      assert_includes decoder.retry...(decoder.retry + SLACK), waited, bytes.inspect
      # HTTP takes white space around a header's value away.
      assert_equal decoder.last_event_id.gsub(/\A[ \t]+|[ \t]+\z/, ""), id, bytes.inspect
    end
  end

  def test_a_retry_without_digits_or_beyond_64_bits_is_taken_at_its_word_but_not_in_chromium
    streams = ["", "retry: 6000\nretry\n", "retry: 6000\nretry:\n", "retry: 6000\nretry: 18446744073709551616\n"]
    kept = streams.map { |bytes| Streamer::Decoder.new.tap { |decoder| decoder.feed(bytes) }.retry }
    waited = reconnections(streams).map(&:first)

    assert_equal [nil, 6000, 6000, (2**63) - 1], kept
    [DEFAULT_RETRY, DEFAULT_RETRY, DEFAULT_RETRY, 6000].zip(waited) { |time, actual| assert_includes time...(time + SLACK), actual }
  end

  private

  def assert_decoded_as_in_chromium(cases)
    expected = cases.values.map { |bytes| decode(as_chromium_reads(bytes)) }
    received = receive(cases.values)
    differing = cases.keys.each_index.reject { |index| received[index] == expected[index] }

    assert_operator expected.sum(&:size), :>, cases.size / 2, "hardly any events: this shows nothing"
    report = differing.first(5).map { |index| difference(*cases.to_a[index], expected[index], received[index]) }
    assert_empty differing, report.join("\n")
  end

  def difference(name, bytes, expected, received)
    "#{name}\n  #{bytes.inspect}\n  decoder:  #{expected.map(&:to_a)}\n  chromium: #{received.map(&:to_a)}"
  end

  # The first of the three deviations: the line end is a character of the first line, which so is no known field.
  def as_chromium_reads(bytes) = bytes.b.sub(/\A#{MARK}[\r\n]/n, "#{MARK}x".b)

  def decode(bytes)
    Streamer::Decoder.new.feed(bytes).map { |event| Browser::Received.new(event.type, event.data, event.id) }
  end

  def encode(...) = Streamer::Encoder.encode(...)

  # What the page's JavaScript gets of each stream. It listens for the types that the oracle finds; the browser's network
  # stack tells of all, and must have the same.
  def receive(streams)
    @streams = streams.each_with_index.to_h { |bytes, index| ["/#{index}", bytes] }
    already = @page.streams.size
    results = @page.read(@streams.map { |path, bytes| [path, Oracle::EventStream.new(bytes).events.map(&:type).uniq] })
    by_path = @page.streams.drop(already).to_h { |stream| [stream.path, stream.values] }

    assert_equal @streams.keys.zip(results).to_h, by_path.slice(*@streams.keys)
    results
  end

  # For each stream the milliseconds from its end to the browser's next request, and the Last-Event-ID of that.
  def reconnections(streams)
    ended = {}
    returned = {}
    streams.each_with_index do |bytes, index|
      @upstream.on("/#{index}") do |exchange|
        if ended.key?(index)
          id = exchange.request.headers["last-event-id"].to_s.dup.force_encoding(Encoding::UTF_8)
          returned[index] = [(Upstream.now - ended[index]) * 1000, id]
          exchange.answer(status: 204) # which tells it to stay away
        else
          ended[index] = Upstream.now
          exchange.answer(bytes, type: "text/event-stream")
        end
      end
    end
    paths = streams.each_index.map { |index| "/#{index}" }
    @page.execute("window.sources = arguments[0].map((path) => new EventSource(path))", paths)
    @page.wait("#{streams.size} reconnections") { returned.size == streams.size }
    returned.sort.map(&:last)
  end

  def arrived(text, type: "message", id: "") = Browser::Received.new(type, text.gsub(/\r\n?/, "\n"), id)
end
