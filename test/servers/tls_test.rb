# frozen_string_literal: true

require "test_helper"
require "support/app_server"

# Puma with TLS of its own: no plain socket to hand over, so the stream goes through Puma's.
class TLSTest < Minitest::Test
  def server = AppServer.shared(:puma_tls)

  def test_every_event_arrives_when_it_is_written
    client = server.stream("/streams/events?count=25&every=0.05")
    events = client.events
    delays = events.map { |event| event.at - event.json["sent"] }.sort

    assert_equal (0...25).to_a, events.map { |event| event.json["index"] }
    assert_operator delays[12], :<, SSEClient::PROMPT
  end

  def test_the_end_of_the_connection_is_the_end_of_the_stream
    client = server.stream("/streams/events")

    assert_equal "close", client.headers["connection"]
    assert_nil client.headers["transfer-encoding"]
    assert_equal 3, client.events.size
    assert_predicate client, :clean?
  end

  def test_silence_is_filled_and_a_browser_that_left_is_noticed
    client = server.stream("/streams/silent?heartbeat=0.1&note=#{name}")
    3.times { assert_equal "", client.next.comment }
    client.leave

    assert_equal "Streamer::BrowserDisconnectedError", server.notes.wait(name, "ended")["error"]
  end
end
