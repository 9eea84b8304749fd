# frozen_string_literal: true

require "test_helper"
require "json"
require "oracle/event_stream"
require "support/browser"
require "support/module_site"
require "support/node"
require "support/streams"
require "support/transcripts"

# The module's decoder against the corpus of the gem's, in Node and in Chromium, cut in three ways.
class ModuleGrammarTest < Minitest::Test
  LONGEST_RETRY = (2**31) - 1 # ms; no timer of a browser waits longer
  MADE = 302

  # `result` is what the decoder made of `bytes`: its events, the last id, the time.
  Expected = Struct.new(:name, :bytes, :result)

  def self.expected(name, bytes, events, last_event_id, time)
    Expected.new(name, bytes, [events.map { |event| [event.type, event.data, event.id] }, last_event_id, time && [time, LONGEST_RETRY].min])
  end

  WRITTEN = Transcripts.all.map { |one| expected("#{one.location}, #{one.name}", one.bytes, one.events, one.last_event_id, one.retry) }.freeze

  # The same at every run. What must come of them the oracle says.
  CORPUS = WRITTEN + Array.new(MADE) do |seed|
    bytes = seed.even? ? Streams.lines(Random.new(seed)) : Streams.noise(Random.new(seed))
    stream = Oracle::EventStream.new(bytes)
    expected("Random.new(#{seed})", bytes, stream.events, stream.last_event_id, stream.retry)
  end

  CUTS = {
    "whole" => ->(size, _random) { [size] },
    "byte_by_byte" => ->(size, _random) { [1] * size },
    "cut_at_random" => lambda do |size, random|
      sizes = []
      sizes << random.rand(1..[size - sizes.sum, 20].min) while sizes.sum < size
      sizes
    end
  }.freeze

  def teardown
    @page&.close
    @site&.stop
  end

  def test_the_corpus_has_370_cases_of_which_most_have_events
    assert_equal 370, CORPUS.size
    assert_operator CORPUS.count { |one| one.result.first.any? }, :>, 200
  end

  CUTS.each do |way, sizes|
    define_method("test_every_case_of_the_corpus_is_decoded_in_node_#{way}") { assert_decoded(CORPUS, sizes) { |cases| node(cases) } }

    define_method("test_every_case_of_the_corpus_is_decoded_in_chromium_#{way}") { assert_decoded(CORPUS, sizes) { |cases| chromium(cases) } }
  end

  def test_the_gems_decoder_agrees_on_every_case
    CORPUS.each do |one|
      decoder = Streamer::Decoder.new
      events = decoder.feed(one.bytes).map { |event| [event.type, event.data, event.id] }

      assert_equal one.result, [events, decoder.last_event_id, decoder.retry && [decoder.retry, LONGEST_RETRY].min], one.name
    end
  end

  private

  def assert_decoded(expected, sizes)
    random = Random.new(Minitest.seed)
    cases = expected.map { |one| [[one.bytes].pack("m0"), sizes.call(one.bytes.bytesize, random)] }
    results = yield cases
    differing = expected.zip(results).reject { |one, result| one.result == result }

    assert_equal expected.size, results.size
    assert_empty(differing.first(5).map { |one, result| "#{one.name}\n  #{one.bytes.inspect}\n  #{one.result}\n  #{result}" })
  end

  def node(cases) = JSON.parse(Node.run("test/browser/module/decode_stdin.mjs", input: JSON.generate(cases)))

  def chromium(cases)
    @site = ModuleSite.new
    @site.page("/", "", script: <<~JS)
      import { Decoder } from "streamer"
      import { decode } from "/decode.js"
      window.decode = (cases) => JSON.stringify(decode(Decoder, cases))
    JS
    @page = Browser.open(@site.url("/"))
    @page.wait("the module") { @page.evaluate("typeof window.decode") == "function" }
    JSON.parse(@page.evaluate("window.decode(#{JSON.generate(cases)})"))
  end
end
