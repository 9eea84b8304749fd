# frozen_string_literal: true

require "test_helper"
require "json"
require "oracle/event_stream"
require "oracle/frame"
require "support/seed"

# Encoder: what a browser reads back is what was given, and nothing that comes from outside adds a field, a line or an event.
class EncoderTest < Minitest::Test
  include Seed

  TEXTS = ["", "a", "two\nlines", "a\r\nb", "a\rb", "\n", "\r\n", "\n\n", "a\n", " leading", "trailing ", ": colon", "data: x\n\ndata: y",
           "é…😀", "\u2028\u2029\u0085", "\0", "\t", "\uFEFF"].freeze

  def test_text_comes_back_with_lf_for_every_line_end
    TEXTS.each do |text|
      events = Oracle::EventStream.new(encode(text)).events
      assert_equal [text.gsub(/\r\n?/, "\n")], events.map(&:data), text.inspect
      assert_equal [["message", ""]], events.map { |event| [event.type, event.id] }
    end
  end

  def test_frames_are_those_of_the_oracle
    TEXTS.each do |text|
      assert_equal Oracle::Frame.encode(text), encode(text), text.inspect
      assert_equal Oracle::Frame.encode(text, event: "e", id: "i", retry_after: 5),
                   encode(text, event: "e", id: "i", retry: 5), text.inspect
    end
  end

  def test_event_id_and_retry_come_back
    stream = Oracle::EventStream.new(encode("x", event: "tökén", id: "a:1", retry: 3000))
    assert_equal [["tökén", "x", "a:1"]], stream.events.map(&:to_a)
    assert_equal 3000, stream.retry
  end

  def test_anything_else_is_written_as_json
    time = Struct.new(:to_json_text) { def to_json(*) = to_json_text }
    [{ "step" => 1 }, { nested: [1, nil, "ü\n"] }, [1, 2], 1, 1.5, true, false].each do |object|
      assert_equal "data: #{JSON.generate(object)}\n\n", encode(object)
    end
    assert_equal "data: [1]\n\n", encode(time.new("[1]"))
  end

  def test_a_frame_is_utf8_and_valid
    ["a", "é".b, "\xFF", "é".encode("ISO-8859-1")].each do |text|
      assert_equal Encoding::UTF_8, encode(text).encoding
      assert_predicate encode(text), :valid_encoding?, text.inspect
    end
  end

  def test_text_of_another_encoding_is_converted
    assert_equal "data: é\n\n", encode("é".encode("ISO-8859-1"))
    assert_equal "data: a\ndata: é\n\n", encode("a\né".encode("UTF-16LE"))
    assert_equal "event: é\nid: é\ndata: x\n\n", encode("x", event: "é".encode("UTF-16BE"), id: "é".encode("ISO-8859-1"))
  end

  def test_ill_formed_text_is_replaced_as_a_browser_would
    assert_equal "data: a\uFFFDb\n\n", encode("a\xFFb")
    assert_equal "data: \uFFFD\n\n", encode("\xE2\x82".b)
  end

  def test_text_within_json_is_made_well_formed_wherever_it_is
    bad = "a\xFFb"
    { { "t" => bad } => { "t" => "a\uFFFDb" }, { t: bad.b } => { "t" => "a\uFFFDb" }, { bad => 1 } => { "a\uFFFDb" => 1 },
      { bad.b => { "in" => [bad, { x: "é".b }] } } => { "a\uFFFDb" => { "in" => ["a\uFFFDb", { "x" => "é" }] } },
      { t: "é".encode("UTF-16LE"), u: "é".encode("ISO-8859-1") } => { "t" => "é", "u" => "é" },
      { t: "\xD8\x00".dup.force_encoding("UTF-16BE") } => { "t" => "\uFFFD" }, { bad.b.to_sym => "é".b.to_sym } => { "a\uFFFDb" => "é" },
      [bad, [[bad]], :ok, nil, 1.5] => ["a\uFFFDb", [["a\uFFFDb"]], "ok", nil, 1.5] }.each do |data, read|
      frame = encode(data)
      assert_equal [Encoding::UTF_8, true], [frame.encoding, frame.valid_encoding?], data.inspect
      assert_equal read, JSON.parse(frame.delete_prefix("data: ")), data.inspect
    end
  end

  def test_what_is_encoded_stays_as_it_was
    data = { "t" => ["a\xFF".b.freeze].freeze }.freeze
    encode(data)
    assert_equal({ "t" => ["a\xFF".b] }, data)
  end

  def test_what_json_cannot_express_is_an_argument_error
    circle = []
    circle << circle
    [{ a: Float::NAN }, circle, Class.new { def to_json(*) = nil }.new, Class.new { def to_s = "\xFF" }.new].each do |data|
      error = assert_raises(ArgumentError) { encode(data) }
      assert_match(/JSON|to_json/i, error.message)
    end
  end

  def test_what_an_objects_own_to_json_raises_is_raised
    error = assert_raises(IOError) { encode([Class.new { def to_json(*) = raise(IOError, "gone") }.new]) }
    assert_equal "gone", error.message
  end

  def test_an_event_name_with_a_line_end_or_nul_is_refused
    ["a\nb", "a\rb", "a\r\ndata: x", "\n", "a\0b"].each do |name|
      error = assert_raises(ArgumentError, name.inspect) { encode("x", event: name) }
      assert_match(/event/, error.message)
    end
  end

  def test_an_id_with_a_line_end_or_nul_is_refused
    ["1\n2", "1\r", "1\r\n\r\ndata: x", "\0", "1\0"].each do |id|
      error = assert_raises(ArgumentError, id.inspect) { encode("x", id: id) }
      assert_match(/id/, error.message)
    end
  end

  def test_line_ends_hidden_in_another_encoding_are_refused
    assert_raises(ArgumentError) { encode("x", event: "a\nb".encode("UTF-16LE")) }
    assert_raises(ArgumentError) { encode("x", id: "a\nb".encode("UTF-32BE")) }
  end

  def test_only_integers_from_zero_are_a_retry
    assert_equal 0, Oracle::EventStream.new(encode("x", retry: 0)).retry
    [-1, 1.5, "3000", "1\ndata: x", :soon, 2**64].each do |time|
      assert_raises(ArgumentError, TypeError, RangeError, time.inspect) { encode("x", retry: time) }
    end
  end

  def test_names_and_ids_may_be_symbols_and_numbers
    assert_equal [["token", "x", "7"]], Oracle::EventStream.new(encode("x", event: :token, id: 7)).events.map(&:to_a)
  end

  def test_refusals_leave_nothing_for_the_next_frame
    assert_raises(ArgumentError) { encode("x", event: "a\nb") }
    assert_equal "data: y\n\n", encode("y")
  end

  def test_comments_dispatch_nothing
    ["", "ping", "two\nlines", "a\r\ndata: x\r\n\r\n", "\n\ndata: x\n\n", "é", "\0"].each do |text|
      stream = Oracle::EventStream.new(Streamer::Encoder.comment(text))
      assert_empty stream.events, text.inspect
      assert_equal Oracle::Frame.comment(text), Streamer::Encoder.comment(text), text.inspect
    end
  end

  def test_no_random_text_injects_anything
    alphabet = ["\r", "\n", "\0", ":", " ", "data: x", "event: y", "id: z", "retry: 1", "a", "é", "\xFF"].map(&:b)
    rounds(300) do |random|
      data, name, id = Array.new(3) { Array.new(random.rand(6)) { alphabet.sample(random: random) }.join }
      begin
        frame = encode(data, event: name, id: id)
      rescue ArgumentError
        assert_match(/[\r\n\0]/n, name + id)
        next
      end
      refute_match(/[\r\n\0]/n, name + id)
      stream = Oracle::EventStream.new(frame)
      assert_equal [[name.empty? ? "message" : utf8(name), utf8(data.gsub(/\r\n?/n, "\n")), utf8(id)]], stream.events.map(&:to_a)
      assert_nil stream.retry
    end
  end

  private

  def encode(...) = Streamer::Encoder.encode(...)

  def utf8(bytes) = bytes.dup.force_encoding("UTF-8").scrub
end
