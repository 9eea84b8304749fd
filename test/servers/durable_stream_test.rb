# frozen_string_literal: true

require "test_helper"
require "support/follow_case"

# durable_stream, as a client of the Durable Streams protocol reads it.
module DurableStreamTests
  include FollowCase

  def test_a_stream_is_read_from_its_start_in_messages
    key = written(tokens: 2)
    response = read(key)

    assert_equal %w[attempt token token], JSON.parse(response.body).map { |message| message["event"] }
    assert_equal "0000000001_0000000002", response["stream-next-offset"]
    assert_equal ["true", nil], [response["stream-up-to-date"], response["stream-closed"]]
    assert_equal response.body, read(key, offset: "-1").body
    assert_equal "304", get(key, { "if-none-match" => response["etag"] }).code
  end

  def test_an_offset_goes_on_and_only_closed_is_the_end
    key = written(tokens: 2)
    ask("append", key: key, text: "end", close: "completed")
    response = read(key, offset: "0000000001_0000000002")

    assert_equal %w[1-3 1-4], JSON.parse(response.body).map { |message| message["id"] }
    assert_equal "true", response["stream-closed"]
    assert_equal ["[]", "true"], read(key, offset: response["stream-next-offset"]).then { |last| [last.body, last["stream-closed"]] }
    assert_equal ["[]", "0000000001_0000000004"], read(key, offset: "now").then { |now| [now.body, now["stream-next-offset"]] }
  end

  def test_what_is_no_offset_is_refused_and_what_is_kept_no_longer_is_gone
    key = written(tokens: 3)
    ask("append", key: key, text: "end", close: "completed")

    refused = [{ offset: "x" }, { offset: "0-1" }, { live: "sse" }]

    assert_equal(%w[400 400 400], refused.map { |query| get(key, query: query).code })
    assert_equal("404", get("unknown").code)
    ask("prune", key: key)

    assert_equal "410", get(key, query: { offset: "0000000001_0000000001" }).code
    assert_equal %w[gap done], JSON.parse(read(key).body).map { |message| message["event"] }
  end

  def test_head_says_where_the_end_is
    client = server.stream("/logs/durable?key=#{written(tokens: 2)}", method: "HEAD")

    assert_equal [200, "0000000001_0000000002", "no-store"], [client.status, *client.headers.values_at("stream-next-offset", "cache-control")]
  end

  def test_a_long_poll_answers_when_there_is_something
    key = written(tokens: 1)
    polling = Thread.new { get(key, query: { offset: "now", live: "long-poll" }) }
    sleep 0.05
    ask("append", key: key, text: "at last")
    response = polling.value

    assert_equal "at last", JSON.parse(JSON.parse(response.body).last["data"])["content"]
    assert_equal "0000000001_0000000002", response["stream-next-offset"]
  end

  def test_a_long_poll_of_what_is_closed_is_over_at_once
    key = written(tokens: 1, close: "completed")
    response = get(key, query: { offset: "now", live: "long-poll" })

    assert_equal %w[204 true true], [response.code, response["stream-closed"], response["stream-up-to-date"]]
  end

  def test_sse_has_data_and_control_until_the_end
    key = written(tokens: 1)
    client = server.stream("/logs/durable?key=#{key}&offset=0000000001_0000000000&live=sse").tap { |opened| @clients << opened }
    ask("append", key: key, text: "end", close: "completed")
    frames = client.events
    messages = frames.select { |frame| frame.type == "data" }.flat_map(&:json)

    assert_equal %w[1-1 1-2 1-3], messages.map { |message| message["id"] }
    assert_equal "0000000001_0000000000", frames.first.json["streamNextOffset"]
    assert_equal({ "streamNextOffset" => "0000000001_0000000003", "streamCursor" => "1-3", "upToDate" => true, "streamClosed" => true },
                 frames.last.json)
  end

  private

  def get(key, headers = {}, query: {})
    server.get("/logs/durable?#{URI.encode_www_form({ key: key, **query })}", { "accept" => "application/json", **headers })
  end

  def read(key, **query)
    get(key, query: query).tap { |response| assert_equal "200", response.code }
  end
end

class DurableStreamOnPumaTest < Minitest::Test
  KIND = :puma
  include DurableStreamTests
end

class DurableStreamOnFalconTest < Minitest::Test
  KIND = :falcon
  include DurableStreamTests
end
