# frozen_string_literal: true

require "support/relay_case"

# Puma with TLS of its own: the relay keeps its thread, and everything else is the same.
class TLSRelayTest < Minitest::Test
  KIND = :puma_tls
  include RelayCase

  def test_the_events_and_the_result_are_the_same_and_the_log_says_so_once
    3.times { |index| assert_equal %w[token token token done], relay(note: "#{name}#{index}").events.map(&:type) }

    assert_equal ["completed", "t0 t1 t2 "], result(note: "#{name}0").values_at("status", "text")
    assert_equal 1, server.log.scan("ssl_bind").size
  end

  def test_a_browser_that_closes_while_the_upstream_is_silent_cancels_it
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay(heartbeat: 0.1).tap(&:next_event)
    client.leave

    assert_equal %w[cancelled disconnected], result.values_at("status", "reason")
    assert @upstream.requests.last.wait_gone, "the upstream was not let go"
  end

  def test_it_is_stopped_by_its_key
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay(key: name).tap(&:next_event)
    server.get("/relays/stop?key=#{name}")

    assert_equal ["done"], client.events.map(&:type)
    assert_equal %w[cancelled stopped], result.values_at("status", "reason")
  end
end
