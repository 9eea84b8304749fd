# frozen_string_literal: true

require "support/relay_case"

# relay_into and relay_events with log:, on real servers: the answer goes into the log, and browsers follow it.
module RelayIntoServerTests
  include RelayCase

  def test_the_browser_that_asked_gets_the_log_and_the_callback_runs_once_as_the_requests
    events = whole(user: "Ann")

    assert_equal(%w[attempt token done], types(events))
    assert_equal(%w[1-0 1-1 1-2], ids(events))
    assert_equal(["completed", nil, "t0 ", "Ann"], result.values_at("status", "reason", "text", "user"))
    assert_equal(1, results)
  end

  def test_relay_events_with_a_log_is_the_same
    assert_equal(%w[1-0 1-1 1-2], ids(whole(through: "events")))
    assert_equal("completed", result["status"])
  end

  def test_a_browser_that_leaves_ends_nothing_and_finds_the_rest_when_it_comes_back
    finish = hold_after_a_token
    browser = into
    read_to(browser, "1-1")
    browser.leave
    finish.call
    result

    assert_equal(%w[1-2], ids(into(client: { headers: { "last-event-id" => "1-1" } }).events))
    assert_equal(204, into(client: { headers: { "last-event-id" => "1-2" } }).status)
    assert_equal(1, @upstream.requests.size)
  end

  def test_whoever_comes_while_it_runs_follows_and_the_upstream_is_asked_once
    finish = hold_after_a_token
    browsers = Array.new(5) { into }
    browsers.each { |browser| read_to(browser, "1-1") }
    finish.call

    assert_equal([%w[1-2]] * 5, browsers.map { |browser| ids(browser.events) })
    assert_equal("completed", result["status"])
    assert_equal([1, 1], [@upstream.requests.size, results])
  end

  def test_a_stop_from_another_request_cancels_a_silent_upstream
    hold_after_a_token
    browser = into
    read_to(browser, "1-1")
    server.get("/logs/stop?key=#{key}")

    assert_operator(@upstream.requests.last.wait_gone, :>, 0)
    assert_equal(%w[cancelled], types(browser.events))
    assert_equal(%w[cancelled stopped], result.values_at("status", "reason"))
  end

  def test_what_the_upstream_fails_with_is_the_logs_end
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).close }
    last = into.events.last

    assert_equal(["failed", "closed", 3], [last.type, *last.json.values_at("error", "length")])
    assert_equal(%w[failed closed], result.values_at("status", "reason"))
  end

  def test_head_and_what_follow_events_refuses_begin_nothing
    assert_equal(200, into(client: { method: "HEAD" }).status)
    assert_equal(400, into(client: { headers: { "last-event-id" => "nonsense" } }).status)
    assert_equal(422, server.get("/logs/read_by_ruby?upstream=#{@upstream.url("/elsewhere")}").code.to_i)
    assert_equal(%w[/elsewhere], @upstream.requests.map(&:path))
  end

  private

  def key = name.gsub(/\W/, "-")[0, 150] + self.class::KIND.to_s

  def into(client: {}, **parameters)
    query = { upstream: @upstream.url("/"), note: name, key: key }.merge(parameters)
    server.stream("/logs/into?#{URI.encode_www_form(query)}", **client).tap { |opened| @clients << opened }
  end

  # The events of a browser that is there in time: whoever comes when all is over gets the text as one.
  def whole(**parameters)
    finish = hold_after_a_token
    browser = into(**parameters)
    events = read_to(browser, "1-1")
    finish.call
    events + browser.events
  end

  # Past the frame that only tells the position.
  def ids(events) = events.select(&:data).map(&:id)

  def types(events) = events.select(&:data).map(&:type)

  def read_to(client, id)
    events = []
    events << client.next_event until events.last&.data && events.last.id == id
    events
  end
end

class PumaRelayIntoTest < Minitest::Test
  KIND = :puma
  include RelayIntoServerTests

  # Five threads.
  def test_neither_an_answer_nor_its_browser_has_a_thread
    hold_after_a_token
    browsers = Array.new(20) { |number| into(key: "#{key}#{number}") }
    browsers.each { |browser| read_to(browser, "1-1") }

    assert_equal("an ordinary page", server.get("/plain/show").body)
    names = JSON.parse(server.get("/logs/process_state").body)["names"].compact

    assert_equal([1, 1, 1, 1], %w[streamer-log streamer-leases streamer-callbacks streamer-followers].map { |name| names.count(name) }, names)
  ensure
    20.times { |number| server.get("/logs/stop?key=#{key}#{number}") }
  end
end

class FalconRelayIntoTest < Minitest::Test
  KIND = :falcon
  include RelayIntoServerTests
end
