# frozen_string_literal: true

require "test_helper"
require "json"
require "oracle/json_path"
require "support/seed"

# Extractor against JSON.parse and a walk.
class ExtractorTest < Minitest::Test
  include Seed

  DOCUMENT = <<~JSON
    {"id": "x", "choices": [{"index": 0, "delta": {"content": "Hel", "role": null}}, {"delta": {"content": "lo"}}],
     "usage": {"total": 12, "cost": -1.5e-3}, "ok": true, "no": false, "": "empty", "0": {"1": "digits"}, "ü": "umlaut"}
  JSON

  def test_each_kind_of_value_is_itself
    assert_equal "Hel", extract("choices.0.delta.content")
    assert_equal "lo", extract("choices.1.delta.content")
    assert_equal 12, extract("usage.total")
    assert_in_delta(-0.0015, extract("usage.cost"))
    assert_equal true, extract("ok")
    assert_equal false, extract("no")
    assert_nil extract("choices.0.delta.role")
    assert_equal "umlaut", extract("ü")
  end

  def test_digits_are_an_index_or_a_key
    assert_equal "digits", extract("0.1")
  end

  def test_what_is_not_there_is_nil
    %w[nothing choices.2.delta choices.0.delta.content.deeper usage.0 choices.index ok.0 choices.00.index].each do |path|
      assert_nil extract(path), path
    end
  end

  def test_objects_and_arrays_come_parsed
    assert_equal({ "total" => 12, "cost" => -0.0015 }, extract("usage"))
    assert_equal [{ "a" => [] }], Streamer::Extractor.new("x").call('{"x":[{"a":[]}]}')
  end

  def test_several_paths_give_an_array_in_their_order
    extractor = Streamer::Extractor.new("usage.total", "choices.0.delta.content", "nothing", "id")
    assert_equal [12, "Hel", nil, "x"], extractor.call(DOCUMENT)
  end

  def test_one_path_may_lead_into_another
    json = '{"a":{"b":{"c":1},"d":2}}'
    assert_equal [{ "c" => 1 }, 1, 2], Streamer::Extractor.new("a.b", "a.b.c", "a.d").call(json)
    assert_equal [1, 1], Streamer::Extractor.new("a.b.c", "a.b.c").call(json)
  end

  def test_strings_are_unescaped_utf8
    value = Streamer::Extractor.new("a").call('{"a":"\u00fc\ud83d\ude00\n\t\r\b\f\"\\\\\/ é"}')
    assert_equal "ü😀\n\t\r\b\f\"\\/ é", value
    assert_equal Encoding::UTF_8, value.encoding
    assert_predicate value, :valid_encoding?
  end

  def test_lone_surrogates_are_replaced
    ['"\ud83d"', '"\ude00"', '"\ud83d\ud83d\ude00"', '"\ude00\ud83d"', '"\ud83dx"', '"\ud83d\n"'].zip(
      ["\uFFFD", "\uFFFD", "\uFFFD😀", "\uFFFD\uFFFD", "\uFFFDx", "\uFFFD\n"]
    ) { |json, text| assert_equal text, Streamer::Extractor.new("a").call("{\"a\":#{json}}"), json }
  end

  def test_objects_with_lone_surrogates_come_parsed
    assert_equal({ "b" => "\uFFFDx\u{1F600}\\ud83d" }, Streamer::Extractor.new("a").call('{"a":{"b":"\ude00x\ud83d\ude00\\\\ud83d"}}'))
  end

  def test_objects_in_which_a_key_occurs_twice_come_parsed
    assert_equal({ "b" => 2 }, Streamer::Extractor.new("a").call('{"a":{"b":1,"b":2}}'))
  end

  def test_escaped_keys_are_found
    assert_equal 1, Streamer::Extractor.new("aü").call('{"\u0061\u00fc":1}')
  end

  def test_numbers_keep_their_size
    { "0" => 0, "-0" => 0, "123456789012345678901234567890" => 123_456_789_012_345_678_901_234_567_890,
      "-9223372036854775809" => -9_223_372_036_854_775_809, "1e3" => 1000.0, "1.0" => 1.0 }.each do |json, number|
      value = Streamer::Extractor.new("a").call("{\"a\":#{json}}")
      assert_equal number, value
      assert_equal number.class, value.class, json
    end
  end

  def test_the_first_of_two_equal_keys_counts
    assert_equal 1, Streamer::Extractor.new("a").call('{"a":1,"a":2}')
  end

  def test_parsing_stops_at_the_last_wanted_value
    assert_equal "x", Streamer::Extractor.new("a").call('{"a":"x", and then it breaks')
  end

  def test_invalid_json_is_an_extract_error
    ["", " ", "{", '{"b":1', '{"b":}', "nope", "{'a':1}", '{"b":"\x"}', '{"b":"' + "\n" + '"}', '{"b":01}', "[1,]", '{"b":1} x', '{"a":"unfinished']
      .each do |json|
        error = assert_raises(Streamer::InvalidJSONError, json.inspect) { Streamer::Extractor.new("a").call(json) }
        assert_kind_of Streamer::Error, error
      end
  end

  def test_json_too_deep_is_an_extract_error_and_not_a_crash
    [130, 10_000, 1_000_000].each do |depth|
      assert_raises(Streamer::InvalidJSONError) { Streamer::Extractor.new("a").call("[" * depth) }
      assert_raises(Streamer::InvalidJSONError) { Streamer::Extractor.new("a").call('{"b":' * depth) }
    end
  end

  def test_a_value_as_deep_as_allowed_comes_whole
    json = "{\"a\":#{"[" * 120}#{"]" * 120}}"
    assert_equal 120, Streamer::Extractor.new("a").call(json).flatten(0).then { |value| depth(value) }
  end

  def test_an_extractor_can_be_used_again_after_an_error
    extractor = Streamer::Extractor.new("a")
    3.times do
      assert_raises(Streamer::InvalidJSONError) { extractor.call('{"b":[[{') }
      assert_equal 1, extractor.call('{"a":1}')
    end
  end

  def test_ill_formed_utf8_is_replaced_as_a_browser_would
    { "\xFF" => 1, "\xC0\xAF" => 2, "\xED\xA0\x80" => 3, "\xF4\x90\x80\x80" => 4, "\xE2\x82" => 1 }.each do |bytes, count|
      [bytes, bytes.b].each do |text|
        value = Streamer::Extractor.new("a").call("{\"a\":\"x".b + text.b + "\"}".b)
        assert_equal "x#{"\uFFFD" * count}", value
      end
    end
  end

  def test_input_of_any_encoding_is_taken_as_bytes
    json = '{"a":"é"}'
    [json, json.b, json.dup.force_encoding("ISO-8859-1"), json.freeze].each do |text|
      assert_equal "é", Streamer::Extractor.new("a").call(text)
    end
  end

  def test_a_value_outlives_its_json
    json = "{\"a\":\"#{"x" * 100}\"}"
    value = Streamer::Extractor.new("a").call(json)
    json.replace("-" * 1000)
    assert_equal "x" * 100, value
  end

  def test_paths_that_cannot_be_are_refused
    ["", ".", "a.", ".a", "a..b", Array.new(33, "a").join(".")].each do |path|
      assert_raises(ArgumentError, path.inspect) { Streamer::Extractor.new(path) }
    end
    assert_raises(ArgumentError) { Streamer::Extractor.new(*Array.new(17) { |number| "a#{number}" }) }
    assert_raises(ArgumentError) { Streamer::Extractor.new }
    assert_raises(ArgumentError, TypeError) { Streamer::Extractor.new(nil) }
  end

  PARTS = <<~JSON
    {"parts": [{"text": "a", "thought": true}, {"thought": false, "text": "b"}, {"text": null}, {"type": "text", "text": "c"}, "d", 1,
               {"text": ["e"], "type": "other", "thought": null}, {"thought": "x", "text": "f", "type": "text"}, {}],
     "content": "plain"}
  JSON

  def test_a_star_is_every_element_in_order
    assert_equal ["a", "b", "c", ["e"], "f"], Streamer::Extractor.new("parts.*.text").call(PARTS)
    assert_equal ["x", [1], { "a" => nil }], Streamer::Extractor.new("*").call('["x", null, [1], {"a": null}]')
    assert_equal [1, 2, 3], Streamer::Extractor.new("a.*.*").call('{"a":[[1,2],[],{"b":0},[3]]}')
    assert_equal [1, 2], Streamer::Extractor.new("a.*.b.*.c").call('{"a":[{"b":[{"c":1}]},{"b":[{"c":2},{}]}]}')
  end

  def test_a_filter_says_which_elements
    assert_equal ["b", "c", ["e"]], Streamer::Extractor.new("parts.*{!thought}.text").call(PARTS)
    assert_equal %w[c f], Streamer::Extractor.new("parts.*{type=text}.text").call(PARTS)
    assert_equal [["b", "c", ["e"]], %w[c f]], Streamer::Extractor.new("parts.*{!thought}.text", "parts.*{type=text}.text").call(PARTS)
    assert_equal ["d", 1], Streamer::Extractor.new("parts.*{!text}").call(PARTS).reject { |part| part.is_a?(Hash) }
    assert_equal [{ "t" => "x.|y", "v" => 1 }], Streamer::Extractor.new("*{t=x.|y}").call('[{"t":"x.|y","v":1},{"t":"z"}]')
  end

  def test_a_filter_goes_by_the_first_of_two_equal_keys
    assert_equal [2], Streamer::Extractor.new("*{t=a}.v").call('[{"t":"b","t":"a","v":1},{"t":"a","v":2,"t":"b"}]')
  end

  def test_a_rejected_element_takes_all_that_is_in_it_with_it
    assert_equal [3], Streamer::Extractor.new("*{!no}.b.*{ok=y}.c").call('[{"b":[{"c":1,"ok":"y"},{"c":2}],"no":1},{"b":[{"c":3,"ok":"y"},{"c":4}]}]')
  end

  def test_the_first_alternative_with_a_value_counts
    extractor = Streamer::Extractor.new("content|content.*{type=text}.text|other")
    assert_equal "x", extractor.call('{"content":"x","other":1}')
    assert_equal "", extractor.call('{"other":1,"content":""}')
    assert_equal %w[a b], extractor.call('{"content":[{"type":"text","text":"a"},{"type":"image"},{"text":"b","type":"text"}],"other":1}')
    assert_equal 1, extractor.call('{"content":[{"type":"image"}],"other":1}')
    assert_equal 1, extractor.call('{"content":null,"other":1}')
    assert_nil extractor.call('{"content":{},"other":[]}')
  end

  def test_what_is_no_array_has_no_elements
    ['{"a":{"*":1}}', '{"a":"x"}', '{"a":null}', '{"a":[]}', '{"a":[null]}', "{}"].each { |json| assert_nil Streamer::Extractor.new("a.*").call(json), json }
  end

  def test_a_value_may_have_to_be_a_certain_string
    json = '{"status":"failed","x":{"status":"\u0066ailed"},"n":null,"o":{"failed":1}}'
    assert_equal ["failed", nil, nil, nil], Streamer::Extractor.new("status{=failed}", "status{=fail}", "n{=}", "o{=failed}").call(json)
    assert_equal "failed", Streamer::Extractor.new("x.status{=failed}").call(json)
    assert_equal "failed", Streamer::Extractor.new("status{=done}|o{=failed}|status{=failed}").call(json)
  end

  def test_values_of_a_star_keep_their_escapes_and_outlive_the_next_read
    extractor = Streamer::Extractor.new("*")
    first = extractor.call('["\\u00fc\\n\\"", "\\ud83d"]')
    extractor.call('["other"]')
    assert_equal ["ü\n\"", "\uFFFD"], first
  end

  def test_paths_that_end_too_early_or_have_half_a_filter_are_refused
    ["*{", "*{}", "*{!}", "*{=x}.a", "a{=x", "a{=x}b", "{=x}", "*{a=b}{=x}", "*{a}", "*{!a}b",
     "a|", "|a", "a||b", "a.|b", "*{!a}.", Array.new(31, "a").join("|")].each do |path|
      assert_raises(ArgumentError, path.inspect) { Streamer::Extractor.new(path) }
    end
  end

  def test_a_name_is_the_last_key
    { "a.b" => "b", "a.0" => "a", "0.1" => "0.1", "a.*.b" => "b", "a.*{!x.y|z}" => "a", "a.b|c.d" => "b", "*" => "*",
      "a.b{=c.d|e}" => "b" }.each do |path, name|
      assert_equal name, Streamer::Extractor.name_of(path), path
    end
  end

  def test_random_documents_as_the_oracle_says
    rounds(300) do |random|
      json = JSON.generate(document(random, 4))
      paths = Array.new(random.rand(1..4)) { path(random) }
      expected = paths.map { |path| Oracle::JSONPath.find(json, path).then { |value| value.equal?(Oracle::JSONPath::MISSING) ? nil : value } }
      actual = Streamer::Extractor.new(*paths).call(json)
      expected = expected.first if paths.one?
      expected.nil? ? assert_nil(actual, [json, paths].inspect) : assert_equal(expected, actual, [json, paths].inspect)
    end
  end

  def test_random_filters_as_the_oracle_says
    rounds(600) do |random|
      json = JSON.generate("a" => Array.new(random.rand(5)) { element(random) })
      path = ["a.*.b", "a.*{!c}.b", "a.*{c=x}.b", "a.*{c=x}", "a.*{!b}", "a.*.b.*{!c}.b", "a.*{c=x}.b.*{c=x}.b",
              "a.0.b|a.*{!c}.b", "a.*.c{=x}", "a.0.c{=y}|a.0.c{=x}|a.1.b", "a.*{=s}", "a.*{!b}.c{=x}"].sample(random: random)
      expected = Oracle::JSONPath.find(json, path)
      actual = Streamer::Extractor.new(path).call(json)
      expected.equal?(Oracle::JSONPath::MISSING) ? assert_nil(actual, [json, path].inspect) : assert_equal(expected, actual, [json, path].inspect)
    end
  end

  private

  def path(random)
    alternatives = Array.new([1, 1, 1, 2, 3].sample(random: random)) { Array.new(random.rand(1..4)) { segment(random) }.join(".") }
    alternatives.map { |path| path.end_with?("}") || random.rand(3).positive? ? path : "#{path}{=s}" }.join("|")
  end

  def segment(random)
    random.rand(4).zero? ? ["*", "*{!a}", "*{a=x}", "*{content=s}"].sample(random: random) : KEYS.sample(random: random)
  end

  def element(random, depth = 2)
    return [1, "s", nil, [], true].sample(random: random) if random.rand(5).zero?

    fields = { "b" => depth.zero? || random.rand(2).zero? ? random.rand(9) : Array.new(random.rand(3)) { element(random, depth - 1) },
               "c" => ["x", "y", nil, false, true, 1, {}, ["x"]].sample(random: random), "d" => 0 }
    fields.to_a.shuffle(random: random).first(random.rand(1..3)).to_h
  end

  KEYS = %w[a b 0 1 2 content ü].freeze
  private_constant :KEYS

  def extract(path) = Streamer::Extractor.new(path).call(DOCUMENT)

  def depth(value) = value.is_a?(Array) ? 1 + (value.empty? ? 0 : depth(value.first)) : 0

  def document(random, depth)
    case depth.zero? ? random.rand(6) : random.rand(10)
    when 0 then "s\"\\\n/ü😀\u0001"[0, random.rand(9)]
    when 1 then random.rand(-1000..1000)
    when 2 then random.rand.round(3)
    when 3 then nil
    when 4 then true
    when 5 then false
    when 6, 7 then Array.new(random.rand(4)) { document(random, depth - 1) }
    else KEYS.sample(random.rand(5), random: random).to_h { |key| [key, document(random, depth - 1)] }
    end
  end
end
