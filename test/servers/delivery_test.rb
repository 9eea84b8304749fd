# frozen_string_literal: true

require "test_helper"
require "support/app_server"
require "support/upstream"

# What stream_events promises, on real servers.
module DeliveryTests
  include WithUpstream

  DISCONNECTED = "Streamer::BrowserDisconnectedError"

  def server = AppServer.shared(self.class::KIND)

  def test_the_head_says_what_proxies_and_browsers_need
    client = server.stream("/streams/events")

    assert_equal 200, client.status
    assert_equal "text/event-stream", client.headers["content-type"]
    assert_equal "no-cache, no-transform", client.headers["cache-control"]
    assert_equal "no", client.headers["x-accel-buffering"]
    assert_nil client.headers["etag"]
    assert_nil client.headers["content-length"]
  end

  def test_the_rest_of_the_stack_has_added_its_headers
    head = server.stream("/streams/events").head

    assert_match(/^x-request-id: /, head)
    assert_match(/^set-cookie: plain=yes/, head)
    assert_match(/^set-cookie: _rails_app_session=/, head)
    assert_match(/^x-frame-options: /i, head)
  end

  def test_every_event_arrives_in_order_and_the_end_is_clean
    client = server.stream("/streams/events?count=200")
    events = client.events

    assert_equal (0...200).to_a, events.map { |event| event.json["index"] }
    assert_equal (0...200).map(&:to_s), events.map(&:id)
    assert_equal ["step"], events.map(&:type).uniq
    assert_predicate client, :clean?
  end

  def test_a_comment_comes_before_the_block_has_said_anything
    client = server.stream("/streams/late?wait=1.5")
    first = client.next
    second = client.next

    assert_equal "", first.comment
    assert_equal "late", second.data
    assert_operator second.at - first.at, :>, 0.5
  end

  def test_an_event_is_on_the_wire_when_it_is_written
    delays = server.stream("/streams/events?count=25&every=0.05").events.map { |event| event.at - event.json["sent"] }

    assert_operator median(delays), :<, SSEClient::PROMPT
  end

  def test_silence_is_filled_with_heartbeats
    client = server.stream("/streams/late?wait=1.5&heartbeat=0.15")
    frames = []
    while (frame = client.next)
      frames << frame
    end

    assert_includes 3..11, frames.count(&:comment) # the first comment, and ten at most in the silence
    assert_equal "late", frames.last.data
  end

  def test_frames_of_several_threads_do_not_interleave
    events = server.stream("/streams/together").events.map(&:data)

    assert_equal 200, events.size
    assert(events.all? { |data| data.match?(/\A\d:\d+:\.{300}\z/) })
    events.group_by { |data| data[0] }.each_value do |of_one|
      assert_equal (0...50).to_a, of_one.map { |data| data.split(":")[1].to_i }
    end
  end

  def test_the_status_can_be_another
    assert_equal 202, server.stream("/streams/events?status=202").status
  end

  def test_head_answers_without_running_the_block
    client = server.stream("/streams/silent?note=#{name}", method: "HEAD")

    assert_equal 200, client.status
    assert_equal "text/event-stream", client.headers["content-type"]
    assert_empty client.body
    assert_empty server.notes.of(name)
  end

  def test_http_1_0_gets_the_stream_until_the_connection_closes
    client = server.stream("/streams/events", version: "1.0")

    assert_nil client.headers["transfer-encoding"]
    assert_equal 3, client.events.size
    assert_predicate client, :clean?
  end

  def test_compressing_middleware_leaves_it_alone
    client = server.stream("/streams/events", headers: { "accept-encoding" => "gzip" })

    refute_equal "gzip", client.headers["content-encoding"]
    assert_equal 3, client.events.size
    assert_equal "gzip", server.stream("/plain/page", headers: { "accept-encoding" => "gzip" }).headers["content-encoding"]
  end

  def test_a_conditional_request_gets_the_stream
    client = server.stream("/streams/events", headers: { "if-none-match" => "W/\"x\"",
                                                         "if-modified-since" => "Mon, 02 Nov 2099 00:00:00 GMT" })

    assert_equal 200, client.status
    assert_equal 3, client.events.size
  end

  def test_the_other_actions_of_the_controller_are_ordinary
    first = server.get("/streams/plain")
    again = server.get("/streams/plain", "if-none-match" => first["etag"])

    assert_equal "an ordinary page", first.body
    assert_match(%r{\AW/}, first["etag"])
    assert_equal "304", again.code
  end

  def test_an_error_before_the_stream_is_an_error_page
    response = server.get("/streams/failed_before")

    assert_equal "500", response.code
    refute_equal "text/event-stream", response["content-type"]
  end

  def test_an_error_in_the_block_becomes_an_event_and_one_report
    client = server.stream("/streams/failed_inside?note=#{name}")
    first, error = client.events
    server.notes.wait(name, "reported")
    reports = server.notes.of(name)

    assert_equal "first", first.data
    assert_equal "error", error.type
    assert_equal({ "error" => "internal", "message" => "The stream was interrupted by an error." }, error.json)
    assert_predicate client, :clean?
    assert_equal 1, reports.size
    assert_equal ["RuntimeError", false, "streamer"], reports.first.values_at("error", "handled", "source")
    assert_equal client.headers["x-request-id"], reports.first["context"]["request_id"]
    assert_equal "failed_inside", reports.first["context"]["action"]
  end

  def test_an_upstreams_error_keeps_its_name
    assert_equal "idle_timeout", server.stream("/streams/failed_upstream").next_event.json["error"]
  end

  def test_the_block_has_the_actions_surroundings
    clients = %w[ada bob eve].map { |user| [user, server.stream("/streams/context?user=#{user}")] }

    clients.each do |user, client|
      seen = client.next_event.json

      assert_equal [user, user, "de", "Europe/Berlin", "context"], seen.values_at("user", "q", "locale", "zone", "action")
    end
  end

  def test_nothing_of_a_streams_surroundings_is_left_for_the_next_request
    server.stream("/streams/context?user=ada").events
    seen = Array.new(6) { server.stream("/streams/context").next_event.json }

    assert_equal [nil], seen.map { |found| found["user"] }.uniq
  end

  def test_a_browser_that_leaves_a_silent_stream_is_noticed_and_not_reported
    client = server.stream("/streams/silent?heartbeat=0.15&note=#{name}")
    client.next
    server.notes.wait(name, "began")
    client.leave

    assert_equal DISCONNECTED, server.notes.wait(name, "ended")["error"]
    assert_equal %w[began ended], server.notes.of(name).map { |note| note["what"] }
  end

  def test_a_browser_that_leaves_a_busy_stream_is_noticed_at_a_write
    client = server.stream("/streams/chatty?note=#{name}")
    3.times { client.next_event }
    client.leave

    assert_equal DISCONNECTED, server.notes.wait(name, "ended")["error"]
    assert_equal %w[began ended], server.notes.of(name).map { |note| note["what"] }
  end

  def test_a_slow_browser_slows_the_block
    client = server.stream("/streams/flood?note=#{name}")
    client.next
    server.notes.wait(name, "written")
    settled = wait_until_same { server.notes.of(name).size }

    assert_operator settled * 500 * 1000, :<, 32 << 20 # bytes; the kernel's two buffers are most of it
  ensure
    client&.leave
  end

  def test_a_relay_cuts_the_value_out_of_the_upstreams_events
    with_upstream(->(exchange) { exchange.openai(tokens: 5) }) do |upstream|
      events = server.stream("/streams/relay?upstream=#{upstream.url}&value=choices.0.delta.content&event=token").events

      assert_equal %w[token token token token token done], events.map(&:type)
      assert_equal "t0 t1 t2 t3 t4 ", events.first(5).map { |event| event.json["content"] }.join
    end
  end

  def test_a_browser_that_leaves_a_relay_cancels_the_upstream
    with_upstream(->(exchange) { exchange.head.stall }) do |upstream|
      client = server.stream("/streams/relay?upstream=#{upstream.url}&heartbeat=0.15&note=#{name}")
      client.next
      upstream.wait_request
      client.leave

      assert_equal DISCONNECTED, server.notes.wait(name, "ended")["error"]
      assert upstream.requests.last.wait_gone, "the upstream was not let go"
    end
  end

  def test_a_relay_of_a_failed_answer_says_so
    with_upstream(->(exchange) { exchange.answer("no", status: 503) }) do |upstream|
      event = server.stream("/streams/relay?upstream=#{upstream.url}").next_event

      assert_equal ["error", "response"], [event.type, event.json["error"]]
    end
  end

  def test_a_relay_that_meets_bad_json_has_written_what_came_before
    script = ->(exchange) { exchange.stream([Upstream.token(0), "data: {broken\n\n", Upstream.token(1)]) }
    with_upstream(script) do |upstream|
      path = "/streams/relay?upstream=#{upstream.url}&value=choices.0.delta.content&event=token&note=#{name}"
      events = server.stream(path).events

      assert_equal %w[token error], events.map(&:type)
      assert_equal "invalid_json", events.last.json["error"]
    end
  end

  def test_relay_events_tells_how_it_ended
    with_upstream(->(exchange) { exchange.openai(tokens: 3) }) do |upstream|
      events = server.stream("/streams/relayed?upstream=#{upstream.url}&note=#{name}").events

      assert_equal %w[token token token done], events.map(&:type)
      assert_equal ["completed", "t0 t1 t2 ", nil], server.notes.wait(name, "result").values_at("status", "text", "error")
    end
  end

  def test_relay_events_tells_of_a_browser_that_left
    script = ->(exchange) { exchange.head.chunk(Upstream.token(0)).stall }
    with_upstream(script) do |upstream|
      client = server.stream("/streams/relayed?upstream=#{upstream.url}&heartbeat=0.15&note=#{name}")
      client.next_event
      client.leave

      assert_equal %w[cancelled t0\ ], server.notes.wait(name, "result").values_at("status", "text")
    end
  end

  private

  def median(numbers) = numbers.sort[numbers.size / 2]

  # The value, once it has been the same for half a second.
  def wait_until_same(timeout: 30)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + timeout
    seen = nil
    until seen == (seen = yield)
      flunk "still changing after #{timeout} s" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
      sleep 0.5
    end
    seen
  end
end

class PumaDeliveryTest < Minitest::Test
  KIND = :puma
  include DeliveryTests

  def test_an_ordinary_action_starts_no_thread
    2.times { server.get("/streams/plain") }
    before = JSON.parse(server.get("/plain/state").body)["threads"]
    5.times { server.get("/streams/plain") }

    assert_operator JSON.parse(server.get("/plain/state").body)["threads"], :<=, before
  end

  def test_the_connection_closes_with_the_stream
    client = server.stream("/streams/events")

    assert_equal "close", client.headers["connection"]
    assert_equal "chunked", client.headers["transfer-encoding"]
  end
end

class PumaClusterDeliveryTest < Minitest::Test
  KIND = :puma_cluster
  include DeliveryTests
end

class FalconDeliveryTest < Minitest::Test
  KIND = :falcon
  include DeliveryTests

  def test_the_connection_serves_the_requests_that_follow
    client = server.stream("/streams/events?count=3")
    client.ask("/streams/events?count=4") # while it streams
    counts = [client.events.size]
    client.next_response
    counts << client.events.size
    client.ask("/streams/relay")
    client.next_response

    assert_equal [3, 4], counts
    assert_predicate client.tap(&:events), :clean?
  end
end
