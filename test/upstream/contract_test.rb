# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# One contract for whatever goes wrong while an answer streams: what it was, what had come, and which request it was.
module ContractTests
  CONTENT = "choices.0.delta.content"
  OVERLOADED = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"
  REFUSED = "data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\"}}\n\n"

  def setup
    @upstream = upstream
    @client = Streamer::Client.new(@upstream.url, headers: { "authorization" => "Bearer secret" }, timeouts: { connect: 20, total: 60 })
  end

  def test_an_error_event_in_the_middle
    [OVERLOADED, REFUSED].zip(%w[overloaded_error server_error]).each do |event, type|
      serve([Upstream.token(0), Upstream.token(1), event, Upstream.token(2)], { "x-request-id" => "req-7" })
      each_way do |read|
        error = assert_raises(Streamer::UpstreamError, &read)
        # What lay in one read with the error is in the error.
        assert_equal [2, "req-7", type], [error.delivered + error.frames.scan("data:").size, error.request_id, error.type]
        assert_equal error.delivered.positive?, error.delivered?
        assert_equal type, error.json.dig("error", "type")
        assert_includes error.message, error.json.dig("error", "message")
        refute_match(/secret/, error.full_message(highlight: false, order: :top))
      end
    end
  end

  def test_the_partial_text_is_in_the_error_where_it_is_collected
    serve([Upstream.token(0), Upstream.token(1), OVERLOADED], { "request-id" => "req-8" })
    error = assert_raises(Streamer::UpstreamError) { get.each_frames(Streamer::Pipeline.new(value: CONTENT, collect: 1000)).to_a }
    assert_equal ["t0 t1 ", "req-8"], [error.text, error.request_id]
    error = assert_raises(Streamer::UpstreamError) { get.each_frames(Streamer::Pipeline.new(value: CONTENT)).to_a }
    assert_nil error.text
  end

  def test_any_other_failure_has_them_too
    @upstream.on("/") { |exchange| exchange.head(headers: { "x-request-id" => "req-9" }).chunk(Upstream.token(0)).close }
    error = assert_raises(Streamer::ClosedError) { get.each_frames(Streamer::Pipeline.new(value: CONTENT, collect: 1000)).to_a }
    assert_equal ["t0 ", "req-9", 1], [error.text, error.request_id, error.delivered]
    refute_kind_of Streamer::TruncatedError, error
  end

  def test_error_events_are_events_where_nobody_looks_for_errors
    serve([OVERLOADED])
    assert_equal ["error"], get.each_event(error: nil).map(&:type)
    assert_empty get.each_value(CONTENT, error: nil).to_a
    assert_equal OVERLOADED, get.each_frames(Streamer::Pipeline.new(error: nil)).to_a.join
  end

  def test_an_error_as_the_body_of_a_200
    %w[application/json text/event-stream].each do |type|
      @upstream.on("/") do |exchange|
        body = { error: { message: "no such model", type: "invalid_request_error" } }
        exchange.answer(JSON.generate(body), type: type, headers: { "x-request-id" => "r" })
      end
      each_way do |read|
        error = assert_raises(Streamer::ResponseError, type, &read)
        assert_equal [200, "no such model", false, "invalid_request_error", "r"],
                     [error.status, error.json.dig("error", "message"), error.delivered?, error.type, error.request_id]
        assert_match(/no such model/, error.message)
      end
    end
  end

  def test_a_line_of_ndjson_that_is_an_error
    @upstream.on("/") { |exchange| exchange.answer("{\"a\":1}\n{\"error\":\"out of memory\"}\n", type: "application/x-ndjson") }
    values = []
    error = assert_raises(Streamer::UpstreamError) { get.each_value("a") { |value| values << value } }
    assert_equal [[1], 1], [values, error.delivered]
    assert_match(/out of memory/, error.message)
  end

  def test_an_element_that_is_an_error
    body = "[{\"a\":1},{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\"}}]"
    @upstream.on("/") { |exchange| exchange.answer(body, type: "application/json") }
    error = assert_raises(Streamer::UpstreamError) { get.each_event.to_a }
    assert_equal "RESOURCE_EXHAUSTED", error.type
  end

  def test_an_end_without_the_mark_that_was_named
    serve([Upstream.token(0)], { "x-request-id" => "req-1" })
    each_way(done: "[DONE]") do |read|
      error = assert_raises(Streamer::TruncatedError, &read)
      assert_equal [1, "req-1"], [error.delivered, error.request_id]
      assert_match(/ended cleanly but was incomplete.*after 1 delivered/, error.message)
    end
    each_way { |read| read.call }
  end

  def test_an_end_with_the_mark
    serve([Upstream.token(0), "event: message_stop\ndata: {}\n\n", "data: [DONE]\n\n"])
    ["[DONE]", { event: "message_stop" }, { event: %w[stop message_stop] }].each { |done| each_way(done: done) { |read| read.call } }
    serve(["{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"done\":true}\n"], type: "application/x-ndjson")
    each_way(done: { value: "done" }) { |read| read.call }
  end

  def test_behind_the_mark_it_does_not_matter_how_the_connection_ends
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).chunk("data: [DONE]\n\n").close }
    each_way { |read| read.call }
    unclosed = "[{\"choices\":[{\"delta\":{\"content\":\"a\"}}]},{\"done\":1}"
    @upstream.on("/") { |exchange| exchange.answer(unclosed, type: "application/json") }
    each_way(done: { value: "done" }) { |read| read.call }
    each_way { |read| assert_raises(Streamer::TruncatedError, &read) }
  end

  def test_an_answer_that_is_no_success_has_its_request_id
    @upstream.on("/") do |exchange|
      exchange.json({ error: { type: "rate_limit_error" } }, status: 429, headers: { "request-id" => "req-2" })
    end
    error = assert_raises(Streamer::ResponseError) { get.each_event.to_a }
    assert_equal ["req-2", "rate_limit_error"], [error.request_id, error.type]
    assert_equal "req-2", assert_raises(Streamer::ResponseError) { get.ensure_success! }.request_id
    assert_equal "req-2", get.request_id
  end

  def test_what_came_before_the_error_of_one_read_is_delivered
    @upstream.on("/") { |exchange| exchange.answer([Upstream.token(0), Upstream.token(1), REFUSED].join, type: "text/event-stream") }
    values = []
    assert_raises(Streamer::UpstreamError) { get.each_value(CONTENT) { |value| values << value } }
    assert_equal ["t0 ", "t1 "], values
    error = assert_raises(Streamer::UpstreamError) { get.each_frames(Streamer::Pipeline.new(value: CONTENT, frame: :text)) { flunk } }
    assert_equal "data: t0 \n\ndata: t1 \n\n", error.frames
  end

  private

  def get = @client.get("/")

  def serve(frames, headers = {}, type: "text/event-stream")
    @upstream.on("/") do |exchange|
      exchange.head(headers: headers, type: type)
      frames.each { |frame| exchange.chunk(frame).pause(0.02) }
      exchange.finish
    end
  end

  # Each way of reading.
  def each_way(**options)
    yield -> { get.each_event(**options) { |event| event } }
    yield -> { get.each_value(CONTENT, **options) { |value| value } }
    yield -> { get.each_frames(Streamer::Pipeline.new(value: CONTENT, **options)) { |frames| frames } }
  end
end

class ContractOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include ContractTests
end

class ContractInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include ContractTests
end

class ContractInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include ContractTests
end
