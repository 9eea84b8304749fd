# frozen_string_literal: true

require "test_helper"
require "oracle/pipeline"
require "support/contexts"
require "support/streams"

# A garbage collection at every allocation, and objects that move: the same answers.
class GCTest < Minitest::Test
  include Contexts::Threads

  PATH = "choices.0.delta.content"
  FRAMES = Oracle::Pipeline.run(Streams::OPENAI, paths: [PATH], event: "token", done: "[DONE]").freeze
  EVENTS = Oracle::EventStream.new(Streams::ANTHROPIC).events.map(&:to_a).freeze

  ANTHROPIC_READS = Streams::ANTHROPIC.b.scan(/.{1,150}/mn).freeze
  OPENAI_READS = Streams::OPENAI.b.scan(/.{1,300}/mn).freeze

  ROUND_TRIPS = {
    decoder: proc do
      decoder = Streamer::Decoder.new
      events = []
      ANTHROPIC_READS.each { |read| decoder.feed(read) { |event| events << [event.type, event.data, event.id] } }
      raise "events differ" unless events == EVENTS
    end,
    decoder_interrupted: proc do
      decoder = Streamer::Decoder.new
      data = []
      5.times { |turn| decoder.feed(turn.zero? ? "data: a\n\ndata: b\n\ndata: c\n\ndata: d\n\n" : "") { |event| break data << event.data } }
      raise "events differ: #{data}" unless data == %w[a b c d]
    end,
    extractor: proc do
      value = Streamer::Extractor.new("a.0", "b", "c", "d").call('{"a":["\u00fc\n"],"b":{"x":[1]},"c":-1.5,"d":123456789012345678901}')
      raise "values differ: #{value}" unless value == ["ü\n", { "x" => [1] }, -1.5, 123_456_789_012_345_678_901]
    end,
    encoder: proc do
      frame = Streamer::Encoder.encode({ step: ["a\nb", 1] }, event: :progress, id: 7, retry: 1000)
      raise "frames differ" unless frame == "event: progress\nid: 7\nretry: 1000\ndata: {\"step\":[\"a\\nb\",1]}\n\n"
    end,
    pipeline: proc do
      pipeline = Streamer::Pipeline.new(value: PATH, event: "token")
      raise "frames differ" unless OPENAI_READS.map { |read| pipeline.feed(read) }.join == FRAMES
    end,
    formats: proc do
      decoder = Streamer::Decoder.new(format: :json, done: { event: %w[end stop], value: "end" }, error: "error")
      events = "[{\"a\":1},\n{\"a\":2}]".chars.flat_map { |read| decoder.feed(read) }
      begin
        decoder.finish
        raise "no marker came"
      rescue Streamer::TruncatedError
        raise "values differ" unless events.map { |event| event.json["a"] } == [1, 2]
      end
    end,
    complaints: proc do
      Streamer::Pipeline.new(value: "a", collect: 10).feed("data: {\"a\":1}\n\nevent: error\ndata: {\"error\":{\"type\":\"t\"}}\n\n")
    rescue Streamer::UpstreamError => error
      raise "errors differ" unless [error.type, error.frames] == ["t", "data: {\"a\":1}\n\n"]
    end,
    errors: proc do
      Streamer::Pipeline.new(value: "a").feed("data: {\"a\":1}\n\ndata: {oops\n\n")
    rescue Streamer::InvalidJSONError => error
      raise "frames differ" unless error.frames == "data: {\"a\":1}\n\n"
    end
  }.freeze

  ROUND_TRIPS.each do |name, round_trip|
    define_method("test_#{name}_under_stress") { with_stress { assert_nil round_trip.call } }
    define_method("test_#{name}_while_objects_move") { while_moving { 200.times { assert_nil round_trip.call } } }
  end

  def test_a_request_under_stress
    server = Upstream.in_process { |exchange| exchange.openai(tokens: 5, split: 100) }
    client = Streamer::Client.new(server.url)
    values = with_stress { client.post("/", json: { a: 1 }).each_value(PATH).to_a }
    assert_equal ["t0 ", "t1 ", "t2 ", "t3 ", "t4 "], values
  ensure
    server&.stop
  end

  def test_requests_while_objects_move
    server = upstream { |exchange| exchange.openai(tokens: 5) }
    client = Streamer::Client.new(server.url)
    counts = while_moving { Array.new(20) { Thread.new { client.get("/").each_event.count } }.map(&:value) }
    assert_equal [6] * 20, counts
  end

  def test_requests_of_fibers_while_objects_move
    server = upstream { |exchange| exchange.openai(tokens: 5, every: 0.001) }
    client = Streamer::Client.new(server.url)
    counts = while_moving do
      Sync { Array.new(20) { Async { client.get("/").each_event.count } }.map(&:wait) }
    end
    assert_equal [6] * 20, counts
  end

  def test_objects_survive_being_moved
    decoder = Streamer::Decoder.new
    decoder.feed("id: kept\ndata: a\n\ndata: half") { |event| event }
    extractor = Streamer::Extractor.new("a.b")
    pipeline = Streamer::Pipeline.new(value: "a.b", event: "moved")
    server = upstream { |exchange| exchange.head.chunk("data: a\n\n").pause(0.1).chunk("data: b\n\n").finish }
    response = Streamer::Client.new(server.url).get("/")
    move_everything
    assert_equal [["half", "kept"]], [].tap { |events| decoder.feed("\n\n") { |event| events << [event.data, event.id] } }
    assert_equal "x", extractor.call('{"a":{"b":"x"}}')
    assert_equal "event: moved\ndata: {\"b\":1}\n\n", pipeline.feed("data: {\"a\":{\"b\":1}}\n\n")
    assert_equal %w[a b], response.each_event.map(&:data)
  end

  def test_a_request_survives_that_objects_move_while_it_is_made
    skip "this Ruby cannot move objects" unless moves?
    server = upstream { |exchange| exchange.answer("ok") }
    room = Array.new(2_000) { Object.new }
    client = Streamer::Client.new("http://example.test", proxy: server.url)
    move = lambda do # within the first request of a scheduler
      room.clear
      GC.compact
    end
    assert_equal("ok", MinimalScheduler.run { when_descriptors_are_made(move) { client.get("/").read } })
  end

  private

  def when_descriptors_are_made(act)
    Streamer::Descriptor.define_singleton_method(:for_fd) { |*arguments, **options| super(*arguments, **options).tap { act.call } }
    yield
  ensure
    Streamer::Descriptor.singleton_class.remove_method(:for_fd)
  end

  def with_stress
    GC.stress = true
    yield
  ensure
    GC.stress = false
  end

  def while_moving
    skip "this Ruby cannot move objects" unless moves?
    before = GC.auto_compact
    GC.auto_compact = true
    yield
  ensure
    GC.auto_compact = before unless before.nil?
  end

  def move_everything
    skip "this Ruby cannot move objects" unless moves?
    grow = RUBY_VERSION < "3.2" ? :double_heap : :expand_heap
    GC.verify_compaction_references(grow => true, toward: :empty)
  end

  def moves?
    GC.respond_to?(:compact) && GC.respond_to?(:auto_compact=)
  end
end
