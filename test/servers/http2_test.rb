# frozen_string_literal: true

require "test_helper"
require "support/app_server"
require "support/http2_client"
require "support/upstream"

# Falcon over HTTP/2, where many streams share a connection and each can be reset alone.
class HTTP2Test < Minitest::Test
  def server = AppServer.shared(:falcon)

  def test_streams_share_a_connection
    with_client do |client|
      events = Array.new(3) do |user|
        Async { decode(client.get("/streams/context?user=#{user}").read) }
      end.map(&:wait)

      assert_equal %w[0 1 2], events.map { |of_one| of_one.first.json["user"] }
    end
  end

  def test_a_reset_stream_stops_the_block_at_once
    with_client do |client|
      response = client.get("/streams/silent?heartbeat=60&note=#{name}")
      response.body.read
      server.notes.wait(name, "began")
      response.stream.send_reset_stream(Protocol::HTTP2::Error::CANCEL)

      assert server.notes.wait(name, "ended")
      assert_equal %w[began ended], server.notes.of(name).map { |note| note["what"] }
    end
  end

  def test_relay_events_tells_of_a_reset_stream
    upstream = Upstream.new { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    with_client do |client|
      response = client.get("/streams/relayed?heartbeat=60&upstream=#{upstream.url}&note=#{name}")
      2.times { response.body.read } # the first comment, and the token
      response.stream.send_reset_stream(Protocol::HTTP2::Error::CANCEL)

      assert_equal %w[cancelled t0\ ], server.notes.wait(name, "result").values_at("status", "text")
      assert upstream.requests.last.wait_gone, "the upstream was not let go"
    end
  ensure
    upstream&.stop
  end

  private

  def decode(text) = Streamer::Decoder.new.feed(text)

  def with_client(&block) = HTTP2Client.open(server.port, &block)
end
