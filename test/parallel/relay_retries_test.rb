# frozen_string_literal: true

require "support/relay_case"

# relay_events with a Request that may be sent again, or not at all: handed over to the native thread on Puma, in the request's own
# fiber on Falcon.
module RelayRetriesTests
  include RelayCase

  def test_a_refused_request_is_sent_again_and_the_browser_sees_one_answer
    refuse(status: 503, times: 2, "retry-after-ms": 50)
    client = relay(retries: 3)
    assert_equal %w[token token token done], client.events.map(&:type)
    assert_equal ["completed", "t0 t1 t2 "], result.values_at("status", "text")
    assert_operator result["timings"]["duration"], :>=, 0.1
    assert_equal 3, @upstream.requests.size
  end

  def test_the_last_refusal_is_the_result
    refuse(status: 429, times: 9, "retry-after-ms": 20)
    client = relay(retries: 1)
    assert_equal ["error"], client.events.map(&:type)
    assert_equal %w[failed response], result.values_at("status", "reason")
    assert_equal 2, @upstream.requests.size
  end

  def test_a_closed_connection_is_tried_again
    closed = 0
    @upstream.on("/") { |exchange| (closed += 1) > 1 ? exchange.openai(tokens: 1) : exchange.close }
    assert_equal %w[token done], relay(retries: 1).events.map(&:type)
  end

  def test_what_has_begun_to_arrive_is_not_asked_for_again
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).close }
    assert_equal %w[token error], relay(retries: 3).events.map(&:type)
    assert_equal 1, @upstream.requests.size
  end

  def test_it_is_stopped_while_it_waits
    refuse(status: 503, times: 9, "retry-after": 30)
    client = relay(retries: 3, key: name)
    @upstream.wait_request
    wait { state["upstreams"].zero? } # it waits, or on Falcon, whose upstreams are not counted here, is on its way
    server.get("/relays/stop?key=#{name}")
    assert_equal ["done"], client.events.map(&:type)
    assert_equal %w[cancelled stopped], result.values_at("status", "reason")
    assert_equal 1, @upstream.requests.size
  end

  def test_nothing_is_sent_for_a_browser_that_has_left
    refuse(status: 503, times: 9, "retry-after": 20)
    client = relay(retries: 3, heartbeat: 0.1)
    @upstream.wait_request
    sleep 0.1
    client.leave
    assert_equal "cancelled", result["status"]
    assert_equal 1, @upstream.requests.size
  end

  # The circuit opens at the first failure, for 60 s. Each test has an upstream and so an origin of its own.
  def test_an_open_circuit_sends_nothing
    refuse(status: 503, times: 9)
    relay(circuit: 1).events
    client = relay(circuit: 1, note: "#{name} again")
    assert_equal({ "error" => "circuit_open" }, JSON.parse(client.events.first.data).slice("error"))
    assert_equal %w[failed circuit_open], result(note: "#{name} again").values_at("status", "reason")
    assert_equal 1, @upstream.requests.size
  end

  def test_an_open_circuit_is_no_reason_for_another_attempt
    refuse(status: 503, times: 9, "retry-after-ms": 20)
    assert_equal ["error"], relay(circuit: 1, retries: 3).events.map(&:type)
    assert_equal %w[failed circuit_open], result.values_at("status", "reason")
    assert_equal 1, @upstream.requests.size
  end

  def test_answers_and_browsers_that_leave_open_no_circuit
    @upstream.on("/", &:stall)
    gone = relay(circuit: 1, heartbeat: 0.1, note: "#{name} gone")
    @upstream.wait_request
    gone.leave
    assert_equal "cancelled", result(note: "#{name} gone")["status"]
    refuse(status: 404, times: 1)
    relay(circuit: 1, note: "#{name} refused").events
    assert_equal %w[token token token done], relay(circuit: 1).events.map(&:type)
  end

  private

  def refuse(status:, times:, **headers)
    refused = 0
    @upstream.on("/") do |exchange|
      (refused += 1) > times ? exchange.openai(tokens: 3) : exchange.json({ error: "no" }, status: status, headers: headers)
    end
  end
end

class RelayRetriesOnPumaTest < Minitest::Test
  include RelayRetriesTests

  KIND = :puma
end

class RelayRetriesOnFalconTest < Minitest::Test
  include RelayRetriesTests

  KIND = :falcon
end
