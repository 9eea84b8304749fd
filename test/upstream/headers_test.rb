# frozen_string_literal: true

require "test_helper"

class HeadersTest < Minitest::Test
  def parse(*lines) = Streamer::Headers.parse(lines.join("\n"))

  def test_a_name_is_found_in_any_case_and_its_value_has_no_white_space_around_it
    headers = parse("Content-Type:\t text/event-stream \t", "X-EMPTY:", "x-colon: a: b")
    assert_equal "text/event-stream", headers["content-TYPE"]
    assert_equal "", headers["x-empty"]
    assert_equal "a: b", headers["X-Colon"]
    assert_nil headers["colon"]
    assert_equal ["", nil], headers.values_at("X-Empty", "x")
  end

  def test_values_of_a_repeated_field_are_joined_and_can_be_had_apart
    headers = parse("Set-Cookie: a=1; Expires=Wed, 01 Jan 2020 00:00:00 GMT", "X: y", "set-cookie: b=2")
    assert_equal "a=1; Expires=Wed, 01 Jan 2020 00:00:00 GMT, b=2", headers["set-cookie"]
    assert_equal ["a=1; Expires=Wed, 01 Jan 2020 00:00:00 GMT", "b=2"], headers.all("Set-Cookie")
    assert_equal %w[set-cookie x set-cookie], headers.map(&:first)
    assert_equal({ "set-cookie" => headers["set-cookie"], "x" => "y" }, headers.to_h)
  end

  def test_what_is_no_field_is_left_out
    headers = parse("HTTP/1.1 200 OK", "a: b\r", "", "\r", ": c", "d : e", "f\tg: h", " folded: i", "no colon", "j:\0", "k: \vl", "m:n")
    assert_equal [%w[a b], ["k", "\vl"], %w[m n]], headers.to_a
    assert_empty parse.to_a
  end

  def test_normalized_lines_stay_as_they_are
    pairs = [["a", "b"], ["c", ""], ["a", "d: e"]]
    headers = Streamer::Headers.new(pairs)
    assert_equal pairs, headers.to_a
    assert_equal pairs, Streamer::Headers.parse(headers.map { |name, value| "#{name}: #{value}\n" }.join).to_a
  end

  def test_values_are_well_formed_utf_8
    value = Streamer::Headers.parse("X: caf\xE9 \u00E9\n".b)["x"]
    assert_equal "caf\uFFFD \u00E9", value
    assert_equal Encoding::UTF_8, value.encoding
  end

  def test_a_hash_or_pairs_make_headers
    assert_equal [%w[content-type a/b], %w[x 1]], Streamer::Headers.new({ "Content-Type" => " a/b", x: 1 }).to_a
    assert_empty Streamer::Headers.new([]).to_a
  end

  def test_what_http_does_not_allow_is_refused
    [["a b", "c"], ["", "c"], ["a:", "c"], ["a\n", "c"], ["a", "b\r\nset-cookie: c"], ["a", "b\nc"], ["a", "b\0"], ["\u00E9", "a"]].each do |pair|
      assert_raises(ArgumentError, pair.inspect) { Streamer::Headers.new([pair]) }
    end
  end

  def test_a_name_with_nul_is_found_nowhere
    assert_raises(ArgumentError) { parse("a: b")["a\0"] }
  end

  MEDIA_TYPES = {
    ["text/event-stream"] => ["text/event-stream", nil],
    ["\tText/Event-Stream; Charset=\"UTF-8\""] => ["text/event-stream", "UTF-8"],
    ["text/html;charset=gbk", "text/html; x=\",text/plain"] => ["text/html", "gbk"],
    ["text/plain;charset=gbk, application/json"] => ["application/json", nil],
    ["application/json", "*/*"] => ["application/json", nil],
    ["text/plain; charset= utf8 ;x"] => ["text/plain", "utf8"],
    ["text/plain; charset="] => ["text/plain", nil],
    ["json"] => [nil, nil],
    [""] => [nil, nil],
    [] => [nil, nil]
  }.freeze

  def test_the_media_type_and_charset_are_those_of_all_content_types
    MEDIA_TYPES.each do |values, expected|
      headers = Streamer::Headers.new(values.map { |value| ["Content-Type", value] })
      assert_equal expected, [headers.media_type, headers.charset], values.inspect
    end
  end

  def test_a_body_is_plain_unless_a_content_coding_is_named
    { nil => true, "" => true, "identity" => true, "None" => true, "identity, none" => true, "gzip" => false, "identity,gzip" => false,
      "identities" => false }.each do |value, plain|
      headers = Streamer::Headers.new([["Content-Encoding", value]].select(&:last))
      assert_equal plain, headers.identity?, value.inspect
    end
  end

  def test_what_was_not_initialized_is_an_error
    %i[media_type charset identity?].each { |method| assert_raises(TypeError) { Streamer::Headers.allocate.public_send(method) } }
  end

  def test_no_value_is_in_what_inspect_shows
    assert_equal "#<Streamer::Headers authorization x>", parse("Authorization: secret", "X: y", "X: z").inspect
  end

  def test_a_head_of_many_fields_takes_linear_time
    lines = "a:\n" * 80_000
    started = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
    assert_equal 80_000, Streamer::Headers.parse(lines).to_h["a"].count(",") + 1
    assert_operator Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - started, :<, 2
  end
end
