# frozen_string_literal: true

require "test_helper"
require "support/app_server"

# Controllers that include ActionController::Live.
module LiveTests
  def server = AppServer.shared(self.class::KIND)

  def test_sse_writes_what_rails_would_write
    events = server.stream("/live/sse").events

    assert_equal %w[token token token text], events.map(&:type)
    assert_equal ["0", "1", "2", nil], events.map(&:id)
    assert_equal ["300"], events.map(&:retry).uniq
    assert_equal [0, 1, 2], events.first(3).map { |event| event.json["index"] }
  end

  def test_sse_keeps_every_line_of_a_text
    assert_equal "a\nb\nc\nd", server.stream("/live/sse").events.last.data
  end

  def test_a_token_is_on_the_wire_at_once
    assert_operator median_delay("/live/sse?count=25&every=0.05"), :<, SSEClient::PROMPT
  end

  def test_also_when_the_head_was_committed_before_sse_was_made
    assert_operator median_delay("/live/sse?count=25&every=0.05&late=yes"), :<, SSEClient::PROMPT
  end

  def test_stream_events_goes_through_live
    client = server.stream("/live/events?wait=1")
    first = client.next
    events = client.events

    assert_equal "text/event-stream", client.headers["content-type"]
    assert_equal "no-cache, no-transform", client.headers["cache-control"]
    assert_equal "", first.comment
    assert_equal [0, 1, 2], events.map { |event| event.json["index"] }
    assert_operator events.first.at - first.at, :>, 0.2
    assert_predicate client, :clean?
  end

  def test_heartbeats_fill_the_silence
    client = server.stream("/live/events?wait=1.5&heartbeat=0.15")
    comments = 0
    comments += 1 while client.next&.comment

    assert_includes 3..11, comments
  end

  def test_a_browser_that_left_is_noticed
    client = server.stream("/live/events?wait=2&heartbeat=0.1&note=#{name}")
    server.notes.wait(name, "began")
    client.leave

    assert_equal "Streamer::BrowserDisconnectedError", server.notes.wait(name, "ended")["error"]
    assert_equal %w[began ended], server.notes.of(name).map { |note| note["what"] }
  end

  def test_a_browser_that_left_while_the_buffer_was_full_holds_no_thread # row 18
    client = server.stream("/live/flood?note=#{name}")
    server.notes.wait(name, "began")
    client.next_event
    client.reset

    assert_equal "Streamer::BrowserDisconnectedError", server.notes.wait(name, "ended")["error"]
  end

  def test_an_error_becomes_an_event_and_one_report
    client = server.stream("/live/failed?note=#{name}")
    events = client.events
    server.notes.wait(name, "reported")

    assert_equal %w[message error], events.map(&:type)
    assert_equal "internal", events.last.json["error"]
    assert_equal 1, server.notes.of(name).size
    assert_predicate client, :clean?
  end

  def test_head_answers_without_running_the_block
    client = server.stream("/live/events?note=#{name}", method: "HEAD")

    assert_equal 200, client.status
    assert_equal "text/event-stream", client.headers["content-type"]
    assert_empty server.notes.of(name)
  end

  private

  def median_delay(path)
    delays = server.stream(path).events.select { |event| event.type == "token" }.map { |event| event.at - event.json["sent"] }
    delays.sort[delays.size / 2]
  end
end

class PumaLiveTest < Minitest::Test
  KIND = :puma
  include LiveTests
end

class FalconLiveTest < Minitest::Test
  KIND = :falcon
  include LiveTests
end
