# frozen_string_literal: true

require "test_helper"

# What follows an attempt, decided without a network and without waiting.
class DecisionsTest < Minitest::Test
  URL = "http://127.0.0.1:1/a"

  def test_a_success_and_a_refusal_that_is_nobodys_fault_are_final
    [200, 204, 400, 404, 500].each { |status| assert_nil decide(exchange, response(status)), status.to_s }
    [200, 304, 400, 404].each { |status| assert_nil decide(exchange(retries: 2), response(status)), status.to_s }
  end

  def test_a_refusal_is_followed_by_the_same_request_as_often_as_is_allowed
    decisions = exchange(retries: 2)
    2.times do
      following, delay = decide(decisions, response(503, "retry-after: 3"))
      assert_equal ["GET #{URL}", 3.0], [following.to_s, delay]
      assert_same following, decisions.request
    end
    assert_nil decide(decisions, response(503, "retry-after: 3"))
  end

  def test_a_redirect_is_followed_at_once_and_is_no_attempt
    decisions = exchange(retries: 1)
    assert_equal ["GET http://127.0.0.1:1/b", 0], decide(decisions, response(302, "location: b")).then { |request, delay| [request.to_s, delay] }
    assert_predicate decisions, :retries_left?
    assert_equal "GET http://127.0.0.1:1/b", decide(decisions, response(503)).first.to_s
    refute_predicate decisions, :retries_left?
  end

  def test_attempts_and_waits_use_up_the_total_timeout
    decisions = exchange(retries: 5, timeouts: { total: 10 })
    following, = decide(decisions, response(503, "retry-after: 4"), elapsed: 3)
    assert_equal [3.0, 7.0], [following.timeouts[:total], decisions.elapsed]
    assert_nil decide(decisions, response(503, "retry-after: 3"), elapsed: 1), "there is no time left to wait"
    following, = decide(decisions, response(307, "location: /b"), elapsed: 2.5)
    assert_equal [0.5, 9.5], [following.timeouts[:total], decisions.elapsed]
    following, = decide(decisions, response(307, "location: /c"), elapsed: 9)
    assert_equal 0.001, following.timeouts[:total]
  end

  def test_without_a_total_timeout_there_is_always_time
    [nil, 0].each do |total|
      following, delay = decide(exchange(retries: 1, timeouts: { total: total }), response(503, "retry-after: 50"), elapsed: 1_000_000)
      assert_equal [total, 50.0], [following.timeouts[:total], delay]
    end
  end

  def test_an_error_is_tried_again_where_that_can_do_no_harm
    closed = Streamer::ClosedError.new("closed")
    { ["GET", true] => true, ["PUT", true] => true, ["POST", false] => true, ["POST", true] => false, ["PATCH", true] => false }
      .each do |(method, answered), again|
        assert_equal again, !decide(exchange(method, retries: 1), closed, answered: answered).nil?, [method, answered].inspect
      end
    [Streamer::TruncatedError, Streamer::TotalTimeoutError, Streamer::TLSError, Streamer::CancelledError, Streamer::LineTooLongError].each do |type|
      assert_nil decide(exchange(retries: 1), type.new("broken")), type.name
    end
  end

  def test_a_body_that_cannot_be_sent_again_ends_it
    once = Class.new { def read(_length) = nil }.new
    assert_nil decide(exchange("POST", retries: 1, body: once), response(503))
    assert_raises(Streamer::RedirectError) { decide(exchange("POST", body: once), response(307, "location: /b")) }
    assert_equal "GET", decide(exchange("POST", body: once), response(303, "location: /b")).first.method
  end

  def test_a_circuit_breaker_admits_and_learns_once
    circuit = Streamer::CircuitBreaker.new(error_threshold: 1, error_timeout: 60)
    decisions = exchange(circuit: circuit)
    decisions.admit
    decisions.judge(200)
    decisions.judge(503)
    assert_equal :closed, circuit.state(decisions.request.origin)
    decisions.admit
    decide(decisions, response(503))
    assert_equal :open, circuit.state(decisions.request.origin)
    assert_raises(Streamer::CircuitOpenError) { decisions.admit }
  end

  private

  def exchange(method = "GET", **options) = Streamer::Upstream::Exchange.new(Streamer::Request.new(method, URL, **options))

  def decide(exchange, outcome, answered: true, elapsed: 0.0) = exchange.next(outcome, answered: answered, elapsed: elapsed)

  def response(status, head = "") = Streamer::ResponseError.new(status, Streamer::Headers.parse(head), "")
end
