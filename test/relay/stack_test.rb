# frozen_string_literal: true

require "support/relay_case"

# Middleware that has a hand on responses for as long as they last.
class StackTest < Minitest::Test
  include RelayCase

  def server
    @@server ||= AppServer.new(:puma, threads: "3:3", variables: { "MIDDLEWARE" => "Lock,Limit,Finished" })
                          .tap { |started| Minitest.after_run { started.stop } }
  end

  def test_rack_lock_is_free_once_the_socket_is_handed_over
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay.tap(&:next_event)

    assert_equal "200", server.get("/up").code
    assert_equal 3, relay(upstream: short.url, note: "#{name}2").events.count { |event| event.type == "token" }
    client.leave
    assert_equal "cancelled", result["status"]
  ensure
    @short&.stop
  end

  def test_a_stream_outlasts_the_stacks_timeout
    @upstream.on("/") { |exchange| exchange.openai(tokens: 6, every: 0.7) }

    assert_equal 6, relay.events.count { |event| event.type == "token" }
    assert_equal "completed", result["status"]
  end

  def test_the_server_lets_go_once_and_the_result_comes_once_at_the_real_end
    let_go = hold_after_a_token
    client = relay.tap(&:next_event)
    server.notes.wait(name, "finished")
    early = results
    let_go.call
    client.events
    result

    assert_equal [0, 1], [early, results]
    assert_equal(1, server.notes.of(name).count { |note| note["what"] == "finished" })
  end

  private

  def short = @short ||= Upstream.new { |exchange| exchange.openai(tokens: 3) }
end
