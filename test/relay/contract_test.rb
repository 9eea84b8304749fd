# frozen_string_literal: true

require "support/relay_case"

# Formats and the contract of errors where an answer is relayed: natively on Puma, in the request's fiber on Falcon.
module RelayContractTests
  include RelayCase

  def test_ndjson_and_arrays_are_relayed_as_tokens
    { "application/x-ndjson" => "{\"a\":\"Hel\"}\n{\"b\":1}\n{\"a\":\"lo\"}",
      "application/json" => "[{\"a\":\"Hel\"},\n{\"b\":1},{\"a\":\"lo\"}]" }
      .each do |type, body|
        answer(type, body.chars)
        events = relay(value: "a", note: "#{name} #{type}").events

        assert_equal [["token", "{\"a\":\"Hel\"}"], ["token", "{\"a\":\"lo\"}"], ["done", "{\"status\":\"completed\"}"]],
                     events.map { |event| [event.type, event.data] }, type
        assert_equal ["completed", "Hello"], result(note: "#{name} #{type}").values_at("status", "text")
      end
  end

  def test_text_is_relayed_as_it_comes
    answer("text/plain", ["one ", "tw\u00F6".b[0..2], "tw\u00F6".b[3..], "\r", "\nthree"])
    events = relay(value: "null", id_prefix: "x-").events

    assert_equal "one tw\u00F6\nthree", events[0...-1].map(&:data).join
    assert_equal ["token", "x-1"], [events.first.type, events.first.id]
    assert_equal ["completed", "one tw\u00F6\r\nthree"], result.values_at("status", "text")
  end

  def test_text_where_values_are_wanted_is_refused
    answer("text/plain", ["oops"])

    assert_equal "response", relay.events.last.json["error"]
    assert_equal %w[failed response], result.values_at("status", "reason")
  end

  def test_an_error_event_ends_it_as_an_error
    frames = [Upstream.token(0),
              "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"secret detail\"}}\n\n"]
    answer("text/event-stream", frames, { "x-request-id" => "req-1" })
    client = relay
    body = client.body

    assert_includes body, "event: token\ndata: {\"content\":\"t0 \"}"
    assert_includes body, "event: error\ndata: {\"error\":\"upstream\""
    assert_equal ["failed", "upstream", "Streamer::UpstreamError", "t0 ", "req-1", "t0 "],
                 result.values_at("status", "reason", "error", "text", "request_id", "partial")
  end

  def test_an_error_event_does_not_pass_raw_either
    answer("text/event-stream", ["data: 1\n\n", "data: {\"error\":{\"message\":\"no\"}}\n\n"])
    events = relay(frame: "raw", value: "null").events

    assert_equal %w[message error], events.map(&:type)
    assert_equal ["1", "upstream"], [events.first.data, events.last.json["error"]]
    assert_equal "failed", result["status"]
  end

  def test_an_error_as_the_body_of_a_200
    %w[application/json text/event-stream].each do |type|
      answer(type, ["{\"error\":{\"message\":\"no such model\"}}"], { "request-id" => "req-2" })
      note = "#{name} #{type}"

      assert_equal "response", relay(note: note).events.last.json["error"]
      assert_equal %w[failed response req-2], result(note: note).values_at("status", "reason", "request_id")
    end
  end

  def test_a_document_without_the_value_is_no_stream
    answer("application/json", ["{\"choices\":[{\"message\":{}}]}"])

    assert_equal "response", relay.events.last.json["error"]
    assert_equal "failed", result["status"]
  end

  def test_an_end_without_the_mark_that_was_named_fails
    answer("text/event-stream", [Upstream.token(0)])
    events = relay(done: '"[DONE]"').events

    assert_equal %w[token error], events.map(&:type)
    assert_equal "truncated", events.last.json["error"]
    assert_equal ["failed", "truncated", "t0 "], result.values_at("status", "reason", "text")
  end

  def test_an_end_with_it_does_not
    { '"[DONE]"' => "data: [DONE]\n\n", '{"event":"stop"}' => "event: stop\ndata: {}\n\n", '{"value":"last"}' => "data: {\"last\":1}\n\n" }
      .each do |done, mark|
        answer("text/event-stream", [Upstream.token(0), mark])
        note = "#{name} #{done}"

        assert_equal %w[token done], relay(done: done, note: note).events.map(&:type), done
        assert_equal "completed", result(note: note)["status"], done
      end
  end

  def test_an_array_that_is_not_closed_fails
    answer("application/json", ["[{\"a\":1}"])

    assert_equal %w[token error], relay(value: "a").events.map(&:type)
    assert_equal "truncated", result["reason"]
  end

  private

  def answer(type, pieces, headers = {})
    @upstream.on("/") do |exchange|
      exchange.head(type: type, headers: headers)
      pieces.each { |piece| exchange.chunk(piece) }
      exchange.finish
    end
  end
end

class PumaRelayContractTest < Minitest::Test
  KIND = :puma
  include RelayContractTests
end

class FalconRelayContractTest < Minitest::Test
  KIND = :falcon
  include RelayContractTests
end
