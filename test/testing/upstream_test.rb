# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# What the kit's server can do that the tests of the client do not use.
class TestingUpstreamTest < Minitest::Test
  include Contexts::Threads

  RECORDING = File.expand_path("../fixtures/recordings/chat.json", __dir__)
  TEXT = "Grüße, 世界 👋"

  def test_a_recording_is_answered_read_by_read
    server = replaying

    response = ask(server)
    assert_equal ["text/event-stream; charset=utf-8", "req_7Qx"], response.headers.values_at("content-type", "x-request-id")
    assert_equal TEXT, text(response)
  end

  def test_wherever_it_is_cut_the_text_is_the_same
    [1, 2, 7, 1000, [3, 4, 90], :characters, nil].each do |split|
      assert_equal TEXT, text(ask(replaying(split: split))), split.inspect
    end
  end

  def test_within_characters_no_piece_is_valid_by_itself
    pieces = Streamer::Testing::Splits.of("aé世👋b", :characters)

    assert_equal "aé世👋b".b, pieces.join
    refute(pieces[0..2].any? { |piece| piece.dup.force_encoding("UTF-8").valid_encoding? })
    assert_raises(ArgumentError) { Streamer::Testing::Splits.of("a", "b") }
  end

  def test_at_the_pace_of_the_recording
    assert_operator seconds { text(ask(replaying(every: :recorded))) }, :>=, 0.3
    assert_operator seconds { text(ask(replaying(every: 0.02, split: 200))) }, :>=, 0.06
  end

  def test_so_much_of_it_and_then_a_fault
    recording = Streamer::Testing::Recording.load(RECORDING)
    { reset: Streamer::ClosedError, close: Streamer::ClosedError, stall: Streamer::IdleTimeoutError }.each do |fault, error|
      server = upstream { |exchange| exchange.replay(recording, bytes: 400).public_send(fault) }
      raised = assert_raises(error) { text(ask(server, timeouts: { idle: 1 })) }

      assert_predicate raised, :delivered?
    end
  end

  def test_a_request_that_was_not_recorded
    server = replaying
    response = Streamer.get(server.url("/other"))

    assert_equal [501, "not in the recording: GET /other"], [response.status, response.read]
  end

  def test_the_answers_to_one_path_follow_each_other_and_the_last_stays
    server = upstream { |exchange| exchange.replay(several) }

    assert_equal %w[one two two], Array.new(3) { Streamer.get(server.url("/count?n=1")).read }
  end

  def test_a_script_that_raises_is_not_silent
    server = Upstream.new { |_exchange| raise IndexError, "in the script" }
    assert_raises(Streamer::ClosedError) { Streamer.get(server.url) }
    assert_equal "in the script", assert_raises(IndexError) { server.stop }.message
  end

  private

  def several
    @several ||= begin
      exchanges = %w[one two].map do |text|
        { "request" => { "method" => "GET", "target" => "/count" },
          "response" => { "status" => 200, "headers" => { "content-type" => "text/plain" }, "reads" => [[0, text]] } }
      end
      Streamer::Testing::Recording.new(exchanges)
    end
  end

  def replaying(**options)
    Upstream.recorded(RECORDING, **options).tap { |server| (@stopped_at_the_end ||= []) << server }
  end

  def ask(server, **options) = Streamer.post(server.url("/v1/chat/completions"), json: { stream: true }, **options)

  def text(response) = response.each_value("choices.0.delta.content").to_a.join
end
