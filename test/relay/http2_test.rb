# frozen_string_literal: true

require "support/http2_client"
require "support/relay_case"

# Falcon over HTTP/2.
class HTTP2RelayTest < Minitest::Test
  KIND = :falcon
  include RelayCase

  def test_events_over_http_2_are_those_of_http_1
    first = relay(id_prefix: "x").events
    second = with_client { |client| Streamer::Decoder.new.feed(client.get(path(id_prefix: "x")).read) }

    assert_equal(first.map { |event| [event.type, event.data] }, second.map { |event| [event.type, event.data] })
    assert_equal %w[x1 x2 x3], second.first(3).map(&:id)
  end

  def test_a_reset_stream_cancels_the_upstream_at_once
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    with_client do |client|
      response = client.get(path(heartbeat: 60))
      2.times { response.body.read } # the first comment, and the token
      response.stream.send_reset_stream(Protocol::HTTP2::Error::CANCEL)

      assert @upstream.requests.last.wait_gone, "the upstream was not let go"
      assert_equal ["cancelled", "t0 "], result.values_at("status", "text")
    end
  end

  private

  def path(**parameters)
    "/relays/show?#{URI.encode_www_form({ upstream: @upstream.url("/"), note: name }.merge(parameters))}"
  end

  def with_client(&block) = HTTP2Client.open(server.port, &block)
end
