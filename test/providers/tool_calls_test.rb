# frozen_string_literal: true

require "test_helper"
require "streamer/providers"
require "support/seed"

# Tool calls as they grow. What single servers do is in test/fixtures/providers/variants; here is every mixture of it.
class ToolCallsTest < Minitest::Test
  include Seed

  ARGUMENTS = ['{"x":1}', "{}", '{"a":[{"b":2},{"c":"}{"}],"d":"{\"q\":1}"}', '{"code":"if (a) { b } { c }"}', '{"ü":["🥐"]}'].freeze
  NAMES = %w[f g get_weather].freeze

  # How a server may label the deltas of a call: from the call's number, the delta's, and how many there are, to an index, an id, a name.
  INDEXES = {
    right: ->(call) { call }, zero: ->(_) { 0 }, string: ->(call) { call.to_s }, null: ->(_) { nil }
  }.freeze
  IDS = {
    first: ->(call, delta, _) { "id#{call}" if delta.zero? }, every: ->(call, *) { "id#{call}" }, empty: ->(*) { "" }, null: ->(*) { nil },
    late: ->(call, delta, last) { "id#{call}" if delta == last }, same: ->(*) { "x" },
    new: ->(call, delta, _) { "id#{call}.#{delta}" }
  }.freeze
  SAID = {
    first: ->(name, delta, _) { name if delta.zero? }, every: ->(name, *) { name }, late: ->(name, delta, last) { name if delta == last },
    empty: ->(name, delta, _) { ["", name][delta] }
  }.freeze

  # With a new id and the name in every delta nobody can tell whether that is one call.
  MIXTURES = INDEXES.keys.product(IDS.keys, SAID.keys).reject { |_, id, name| id == :new && name == :every }.freeze

  def test_every_mixture_of_labels
    rounds(500) do |random|
      mixture = MIXTURES.sample(random: random)
      # Without a name yet, what follows "{}" might belong to the same call.
      possible = mixture.last == :late ? ARGUMENTS - ["{}"] : ARGUMENTS
      calls = Array.new(random.rand(1..3)) { [NAMES.sample(random: random), possible.sample(random: random)] }.uniq
      deltas = calls.each_with_index.flat_map { |(name, arguments), number| label(mixture, number, name, pieces(arguments, random)) }
      assert_equal calls, shape(assembled(deltas)), "#{mixture} #{deltas}"
    end
  end

  def test_a_call_is_shown_with_its_name_and_all_that_came_before
    calls = Streamer::Providers::ToolCalls.new
    assert_empty calls.add([{ index: 0, id: "a", arguments: '{"x"' }])
    assert_empty calls.add([{ index: 0, arguments: ":" }])
    grown = calls.add([{ index: 0, name: "f", arguments: "1}" }])
    assert_equal [["a", "f", '{"x":1}']], grown.map { |call| [call.id, call.name, call.delta] }
    assert_empty calls.add([{ index: 0, arguments: "" }]), "nothing is new"
  end

  def test_two_parts_of_a_call_in_one_event_are_one_delta
    grown = Streamer::Providers::ToolCalls.new.add([{ index: 0, name: "f", arguments: '{"x"' }, { index: 0, arguments: ":1}" }])
    assert_equal ['{"x":1}'], grown.map(&:delta)
  end

  def test_arguments_that_are_not_complete_are_not_json
    call = assembled([{ index: 0, name: "f", arguments: '{"x"' }]).first
    error = assert_raises(Streamer::InvalidJSONError) { call.json }
    assert_match(/arguments of f/, error.message)
  end

  def test_no_arguments
    [nil, "", " ", "null"].each { |arguments| assert_equal({}, assembled([{ index: 0, name: "f", arguments: arguments }]).first.json) }
  end

  def test_arguments_have_a_limit
    piece = "x" * (Streamer::Providers::ToolCall::MAX_ARGUMENTS / 4)
    deltas = Array.new(4) { { index: 0, name: "f", arguments: piece } }
    assert_equal Streamer::Providers::ToolCall::MAX_ARGUMENTS, assembled(deltas).first.arguments.bytesize
    error = assert_raises(Streamer::EventTooLargeError) { assembled([*deltas, { index: 0, arguments: "x" }]) }
    assert_match(/arguments of a tool call/, error.message)
  end

  private

  def assembled(deltas)
    calls = Streamer::Providers::ToolCalls.new
    deltas.each { |delta| calls.add([delta]) }
    calls.to_a
  end

  def shape(calls) = calls.map { |call| [call.name, call.arguments] }

  # At least two, so that a name can be late.
  def pieces(text, random)
    size = random.rand(1..text.size)
    ["", *text.chars.each_slice(size).map(&:join)]
  end

  def label((index, id, name), number, said, pieces)
    last = pieces.size - 1
    pieces.each_with_index.map do |piece, delta|
      { index: INDEXES[index].call(number), id: IDS[id].call(number, delta, last), name: SAID[name].call(said, delta, last),
        arguments: piece }
    end
  end
end
