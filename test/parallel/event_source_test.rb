# frozen_string_literal: true

require "test_helper"
require "active_support"
require "active_support/isolated_execution_state"
require "active_support/notifications"
require "support/contexts"

# client.events: what the HTML Standard (section 9.2) asks of an EventSource. The names in brackets are those of the files in
# web-platform-tests' eventsource directory that ask the same of browsers.
module EventSourceTests
  QUICK = { reconnection_time: 0.01, max_delay: 0.05 }.freeze

  def setup
    @answers = Thread::Queue.new
    @server = upstream { |exchange| @answers.empty? ? exchange.raw("HTTP/1.1 204 No Content\r\n\r\n") : @answers.pop.call(exchange) }
    @client = Streamer::Client.new(@server.url)
    super
  end

  # What the connections bring, one after the other; then 204.
  def answers(*scripts)
    scripts.each { |script| @answers << (script.is_a?(String) ? ->(exchange) { exchange.stream([script]) } : script) }
  end

  def events(**options) = @client.events("/feed", **QUICK, **options).each_event.to_a

  def last_event_ids = @server.requests.map { |request| request.headers["last-event-id"] }

  # --- requests ---

  # Otherwise a server with a bug gets as many connections as it can take.
  def test_retry_0_is_no_leave_to_hammer
    answers(*Array.new(50) { |number| ->(exchange) { exchange.answer("retry: 0\ndata: #{number}\n\n", type: "text/event-stream") } })
    source = @client.events("/feed")
    started = Upstream.now
    source.each_event { |event| break if event.data == "5" }
    assert_operator Upstream.now - started, :>=, 0.5
    assert_equal 0.0, source.reconnection_time
  end

  def test_a_retry_of_a_thousand_years_is_a_day
    answers ->(exchange) { exchange.answer("retry: 99999999999999999\ndata: x\n\n", type: "text/event-stream") }
    source = @client.events("/feed")
    source.each_event { break }
    source.close
    assert_operator source.reconnection_time, :<=, 86_400
  end

  def test_it_asks_for_an_event_stream_and_no_cache # [request-accept, request-cache-control]
    answers "data: x\n\n"
    events
    @server.requests.each do |request|
      assert_equal %w[GET text/event-stream no-store], [request.method, *request.headers.values_at("accept", "cache-control")]
    end
  end

  def test_it_connects_again_when_the_stream_ends_and_204_ends_it # [eventsource-reconnect, request-status-error]
    answers "data: 1\n\n", "data: 2\n\n"
    assert_equal %w[1 2], events.map(&:data)
    assert_equal 3, @server.requests.size
  end

  def test_the_last_event_id_is_sent_along # [format-field-id]
    answers "id: 1\ndata: a\n\nid: \u00fc2\ndata: b\n\n", "data: c\n\n", "id\ndata: d\n\n", "data: e\n\n"
    seen = events
    assert_equal ["1", "\u00fc2", "\u00fc2", "", ""], seen.map(&:id)
    assert_equal [nil, "\u00fc2", "\u00fc2", nil, nil], last_event_ids.map { |id| id&.force_encoding("UTF-8") }
  end

  def test_an_id_without_data_counts_and_one_that_is_cut_off_does_not # [format-field-id-2, format-data-before-final-empty-line]
    answers "id: 7\n\n", "data: x\n\nid: 8\n"
    assert_equal ["7"], events.map(&:id)
    assert_equal [nil, "7", "7"], last_event_ids
  end

  def test_an_id_with_nul_is_no_id # [format-field-id-null]
    answers "id: 1\ndata: a\n\nid: \0002\ndata: b\n\n"
    assert_equal %w[1 1], events.map(&:id)
  end

  def test_it_may_begin_behind_an_event
    answers "data: x\n\n"
    assert_equal %w[41], events(last_event_id: 41).map(&:id)
    assert_equal %w[41 41], last_event_ids
  end

  def test_redirects_are_followed_from_the_first_url_each_time # [request-redirect]
    elsewhere = upstream { |exchange| exchange.stream(["id: 1\ndata: there\n\n"]) }
    answers ->(exchange) { exchange.redirect(elsewhere.url("/feed"), status: 301) },
            ->(exchange) { exchange.redirect(elsewhere.url("/feed"), status: 307) }
    assert_equal %w[there there], events.map(&:data)
    assert_equal [nil, "1"], elsewhere.requests.map { |request| request.headers["last-event-id"] }
    assert_equal %w[/feed /feed /feed], @server.requests.map(&:path)
  end

  # --- what ends it ---

  def test_other_statuses_are_errors # [request-status-error]
    [404, 500].each do |status|
      answers ->(exchange) { exchange.json({ error: "no" }, status: status) }
      assert_equal status, assert_raises(Streamer::ResponseError) { events }.status
    end
    assert_equal 2, @server.requests.size
  end

  def test_another_2xx_is_an_error_too
    answers ->(exchange) { exchange.raw("HTTP/1.1 202 Accepted\r\ncontent-type: text/event-stream\r\ncontent-length: 0\r\n\r\n") }
    assert_equal 202, assert_raises(Streamer::ResponseError) { events }.status
  end

  def test_another_media_type_or_none_is_an_error # [format-mime-bogus]
    answers ->(exchange) { exchange.answer("data: x\n\n", type: "text/plain") }
    assert_raises(Streamer::ResponseError) { events }
    answers ->(exchange) { exchange.raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ndata: x\n\n") }
    assert_raises(Streamer::ResponseError) { events }
  end

  def test_parameters_of_the_media_type_are_fine # [format-mime-valid-bogus]
    answers ->(exchange) { exchange.answer("data: x\n\n", type: "text/event-stream;charset=windows-1252") }
    assert_equal %w[x], events.map(&:data)
  end

  # --- what does not ---

  def test_a_broken_connection_is_followed_by_another
    answers ->(exchange) { exchange.head.chunk("id: 1\ndata: a\n\n").close },
            ->(exchange) { exchange.head.chunk("data: b\n\n").reset }, :close.to_proc, "data: c\n\n"
    assert_equal %w[a b c], events.map(&:data)
    assert_equal "1", last_event_ids.last
  end

  def test_a_silent_one_is_given_up_and_followed_by_another
    answers ->(exchange) { exchange.head.chunk("data: a\n\n").stall }, "data: b\n\n"
    assert_equal %w[a b], events(timeouts: { idle: 1 }).map(&:data)
  end

  def test_silence_alone_is_none_with_the_defaults_of_a_client_that_is_in_a_hurry
    answers ->(exchange) { exchange.head.pause(0.6).chunk("data: late\n\n").finish }
    @client = Streamer::Client.new(@server.url, timeouts: { first_event: 0.2, total: 0.3 })
    assert_equal %w[late], events.map(&:data)
  end

  def test_what_only_keeps_it_alive_is_no_event_for_its_timeouts
    pinging = lambda do |exchange|
      exchange.head.chunk("data: a\n\n")
      loop { exchange.chunk(": still here\n\nevent: ping\ndata: {}\n\n").pause(0.05) }
    end
    answers pinging, "data: b\n\n"
    seen = Timeout.timeout(20) { events(timeouts: { event_idle: 0.5 }) }
    assert_equal %w[a b], seen.map(&:data) - %w[{}]
  end

  # --- how long it waits ---

  def test_retry_sets_the_reconnection_time # [format-field-retry, format-field-retry-bogus]
    answers "retry: 400\ndata: a\n\n", "retry: 10x\ndata: b\n\n", "data: c\n\n"
    times = []
    source = @client.events("/feed", **QUICK)
    source.each_event { times << now }
    assert_operator times[1] - times[0], :>=, 0.4
    assert_operator times[2] - times[1], :>=, 0.4
    assert_in_delta 0.4, source.reconnection_time
  end

  # A stream that answers 200 and brings nothing would otherwise be asked for ever at the same pace.
  def test_the_wait_doubles_until_an_event_and_not_until_a_connection
    answers "retry: 0\n\n", *[": nothing\n\n"] * 3, "data: x\n\n", ": nothing\n\n"
    waits = published { @client.events("/feed", reconnection_time: 0.01, max_delay: 0.4) { |_| nil } }
    [0.1..0.125, 0.2..0.25, 0.4..0.5, 0.4..0.5, 0.1..0.125, 0.1..0.125].zip(waits) { |range, notice| assert_includes range, notice[:wait] }
    assert_equal [1, 2, 3, 4, 0, 1], waits.map { |notice| notice[:failures] }
  end

  def test_the_failures_in_a_row_can_be_limited
    answers(*[:close.to_proc] * 9)
    assert_raises(Streamer::ClosedError) { events(max_failures: 3) }
    assert_equal 3, @server.requests.size
    @answers.clear
    answers(*[": nothing\n\n"] * 9)
    assert_match(/2 times/, assert_raises(Streamer::ClosedError) { events(max_failures: 2) }.message)
  end

  # --- the format across connections ---

  def test_a_byte_order_mark_is_passed_over_on_each_connection # [format-bom, format-bom-2]
    answers "\uFEFFid: 1\ndata: a\n\n", ->(exchange) { exchange.stream(["\uFEFFdata: b\n\n"], split: 1) }, "\uFEFF\uFEFFdata: c\n\ndata: d\n\n"
    assert_equal %w[a b d], events.map(&:data)
  end

  def test_what_a_connection_leaves_unfinished_is_no_event_of_the_next # [format-data-before-final-empty-line]
    answers "data: a\n\ndata: half", "event: x\ndata: b\n\n"
    assert_equal [%w[message a], %w[x b]], events.map { |event| [event.type, event.data] }
  end

  # --- ending it oneself ---

  def test_a_block_may_break_and_go_on_later
    answers ->(exchange) { exchange.head.chunk("id: 1\ndata: a\n\n").stall }, "data: b\n\n"
    source = @client.events("/feed", **QUICK)
    source.each_event { break }
    assert @server.requests.first.wait_gone
    assert_equal %w[b], source.each_event.map(&:data)
    assert_equal "1", @server.requests[1].headers["last-event-id"]
  end

  def test_an_error_of_the_block_is_no_error_of_the_stream
    answers "data: a\n\n"
    assert_raises(Streamer::ClosedError) { @client.events("/feed", **QUICK) { raise Streamer::ClosedError, "another upstream" } }
    assert_equal 1, @server.requests.size
  end

  def test_it_is_closed_from_elsewhere_while_it_reads_or_waits # [eventsource-close]
    answers ->(exchange) { exchange.head.chunk("data: a\n\n").stall }
    source = @client.events("/feed")
    seen = []
    reading = beside { source.each_event { |event| seen << event.data } }
    wait_until { seen.any? }
    in_thread { source.close }.value
    reading.value
    assert_equal %w[a], seen
    assert @server.requests.first.wait_gone
    assert_empty source.each_event.to_a

    answers "data: b\n\n"
    source = @client.events("/feed", reconnection_time: 30)
    waiting = nil
    waits = []
    ActiveSupport::Notifications.subscribed(->(*, payload) { waits << payload }, "reconnect.streamer") do
      waiting = beside { source.each_event { |event| seen << event.data } }
      wait_until { waits.any? }
    end
    in_thread { source.close }.value
    assert_operator seconds { waiting.value }, :<, 20
    assert_equal %w[a b], seen
    assert_predicate source, :closed?
  end

  def test_it_is_a_source_of_a_merge
    answers "data: 1\n\n", "data: 2\n\n"
    @server.on("/other") { |exchange| exchange.stream(["data: other\n\n"]) }
    seen = []
    Streamer.merge(feed: @client.events("/feed", **QUICK), other: @client.request(:get, "/other")) { |name, event| seen << [name, event.data] }
    assert_equal [%w[1 2], %w[other]], seen.group_by(&:first).values_at(:feed, :other).map { |pairs| pairs.map(&:last) }
  end

  def test_only_get_is_repeated
    assert_match(/POST/, assert_raises(ArgumentError) { Streamer::EventSource.new(@client.request(:post, "/")) }.message)
  end

  private

  def published(&block)
    [].tap do |notices|
      ActiveSupport::Notifications.subscribed(->(*, payload) { notices << payload }, "reconnect.streamer", &block)
    end
  end
end

class EventSourceOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include EventSourceTests

  def test_a_killed_thread_or_a_timeout_ends_it
    answers "data: a\n\n", "data: b\n\n"
    assert_raises(Timeout::Error) { Timeout.timeout(0.6) { @client.events("/feed", reconnection_time: 30) { |_| nil } } }
    thread = Thread.new { @client.events("/feed", reconnection_time: 30) { |_| nil } }
    @server.wait_request(2)
    assert_operator seconds { thread.kill.join }, :<, 5
  end
end

class EventSourceInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include EventSourceTests
end

class EventSourceInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include EventSourceTests

  def test_a_stopped_task_ends_it
    answers ->(exchange) { exchange.head.chunk("data: a\n\n").stall }
    task = Async { @client.events("/feed") { |_| nil } }
    @server.wait_request
    task.stop
    assert @server.requests.first.wait_gone
  end
end
