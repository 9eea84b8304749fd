# frozen_string_literal: true

require "support/relay_case"

# What relay_events promises wherever it runs: handed over on Puma, in the request's fiber on Falcon.
module RelayTests
  include RelayCase

  def test_tokens_come_in_order_with_a_terminal_event_and_a_clean_end
    client = relay(retry: 1500)
    frames = [client.next, client.next]
    events = client.events

    assert_equal "", frames.first.comment
    assert_equal "1500", frames.last.retry
    assert_equal %w[token token token done], events.map(&:type)
    assert_equal ["t0 ", "t1 ", "t2 "], events.first(3).map { |event| event.json["content"] }
    assert_equal({ "status" => "completed" }, events.last.json)
    assert_predicate client, :clean?
  end

  def test_the_result_tells_how_it_went_once
    client = relay
    client.events
    found = result
    timings = found["timings"]

    assert_equal ["completed", nil, nil, "t0 t1 t2 "], found.values_at("status", "reason", "error", "text")
    assert_equal 3, timings["frames"]
    assert_operator timings["bytes"], :>, 100
    assert_operator timings["first_event"], :<=, timings["duration"]
    assert_equal 1, results
  end

  def test_events_can_be_text_and_have_ids_and_another_terminal
    events = relay(frame: "text", id_prefix: "a-", event: "word", terminal: '{"event":"end","data":"."}').events

    assert_equal [["word", "t0 ", "a-1"], ["word", "t1 ", "a-2"], ["word", "t2 ", "a-3"], ["end", ".", nil]],
                 events.map { |event| [event.type, event.data, event.id] }
  end

  def test_raw_passes_the_upstreams_events_on_as_they_are
    frames = ["id: 7\nevent: odd\ndata: {\"a\":1}\n\n", Upstream.token(0)]
    @upstream.on("/") { |exchange| exchange.stream(frames) }
    client = relay(frame: "raw", terminal: "null")

    assert_equal ":\n\n#{frames.join}", client.body.delete_prefix(":\n\n").prepend(":\n\n")
    assert_equal "t0 ", result["text"]
  end

  def test_several_values_at_once_and_what_is_kept
    last = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":7}}\n\n"
    @upstream.on("/") { |exchange| exchange.stream([Upstream.token(0), last, "data: [DONE]\n\n"]) }
    events = relay(value: '{"text":"choices.0.delta.content","model":"model"}', keep: '{"usage":"usage","end":"choices.0.finish_reason"}').events

    assert_equal({ "text" => "t0 ", "model" => "gpt-4o-mini-2024-07-18" }, events.first.json)
    assert_equal({ "usage" => { "total_tokens" => 7 }, "end" => "stop" }, result["kept"])
  end

  def test_text_comes_in_batches_with_its_tail_before_the_result
    @upstream.on("/") { |exchange| exchange.openai(tokens: 20, every: 0.02) }
    relay(every: 0.1).events
    texts = result["texts"]

    assert_equal (0...20).map { |number| "t#{number} " }.join, texts.join
    assert_includes 2..19, texts.size
  end

  def test_text_is_not_held_back_by_silence
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).pause(0.01).chunk(Upstream.token(1)).stall }
    client = relay(every: 0.1, until: "t1")

    assert_equal %w[token token done], client.events.map(&:type)
    assert_equal ["stopped", "t0 t1 "], [result["reason"], result["texts"].join]
  end

  def test_on_text_holds_no_token_up
    @upstream.on("/") { |exchange| exchange.openai(tokens: 10, every: 0.05) }
    client = relay(every: 0.1, linger: 3)
    client.next_event
    started = Upstream.now
    9.times { client.next_event }

    assert_operator Upstream.now - started, :<, 2.5
    assert_equal (0...10).map { |number| "t#{number} " }.join, result["texts"].join
  end

  def test_redirects_are_followed
    @upstream.on("/moved") { |exchange| exchange.redirect("/") }

    assert_equal %w[token token token done], relay("/moved").events.map(&:type)
    assert_equal "t0 t1 t2 ", result["text"]
  end

  def test_an_answer_that_is_no_success_fails
    @upstream.on("/") { |exchange| exchange.json({ error: { message: "slow down" } }, status: 429) }
    client = relay
    event = client.next_event

    assert_equal ["error", "response"], [event.type, event.json["error"]]
    assert_nil client.next_event
    assert_equal %w[failed response Streamer::ResponseError], result.values_at("status", "reason", "error")
    assert_reported "Streamer::ResponseError"
  end

  def test_an_upstream_that_refuses_fails
    assert_equal "connect", relay(upstream: Upstream.refused_url).next_event.json["error"]
    assert_equal %w[failed connect], result.values_at("status", "reason")
  end

  # getaddrinfo refuses a label of 64 characters without asking anybody.
  def test_an_upstream_without_a_name_fails
    assert_equal "resolve", relay(upstream: "http://#{"a" * 64}.invalid/").next_event.json["error"]
    assert_equal %w[failed resolve], result.values_at("status", "reason")
  end

  def test_a_gateway_that_pings_does_not_hide_that_nothing_comes
    @upstream.on("/") do |exchange|
      exchange.head.chunk(Upstream.token(0))
      loop { exchange.chunk(": comment\n\nevent: ping\ndata: {}\n\n").pause(0.05) }
    end
    events = relay(timeouts: '{"event_idle":1.2,"idle":1}').events

    assert_equal "event_idle_timeout", events.last.json["error"]
    assert_equal "event_idle_timeout", result["timings"]["upstream"]["outcome"]
    assert_operator result["timings"]["upstream"]["first_text"], :>, 0
  end

  def test_a_kept_value_that_is_too_large_is_told
    large = "x" * 1_200_000
    @upstream.on("/") { |exchange| exchange.stream(["data: {\"usage\":1,\"end\":\"a\"}\n\n", "data: {\"usage\":\"#{large}\",\"end\":\"b\"}\n\n"]) }
    relay(keep: '{"usage":"usage","end":"end"}').events

    assert_equal [{ "usage" => 1, "end" => "b" }, ["usage"]], result.values_at("kept", "kept_truncated")
  end

  def test_ceilings_can_be_lowered
    @upstream.on("/") { |exchange| exchange.stream([Upstream.token(0), Upstream.token(1, "x" * 3000), Upstream.token(2)]) }
    { max_line: "line_too_long", max_event: "event_too_large" }.each do |name, reason|
      events = relay(note: "#{name} lowered", max_line: 4000, max_event: 4000, name => 2000).events

      assert_equal [%w[token error], reason], [events.map(&:type), events.last.json["error"]]
      assert_equal ["failed", reason], result(note: "#{name} lowered").values_at("status", "reason")
    end
  end

  def test_an_upstream_that_says_nothing_times_out_and_its_text_is_kept
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    events = relay(timeouts: '{"idle":1}').events

    assert_equal ["token", "error"], events.map(&:type)
    assert_equal "idle_timeout", events.last.json["error"]
    assert_equal ["timed_out", "idle_timeout", "t0 "], result.values_at("status", "reason", "text")
    assert_reported "Streamer::IdleTimeoutError"
  end

  def test_an_upstream_that_breaks_off_fails
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).close }

    assert_equal %w[token error], relay.events.map(&:type)
    assert_equal ["failed", "closed", "t0 "], result.values_at("status", "reason", "text")
  end

  def test_it_is_stopped_by_its_key_from_another_request
    @upstream.on("/", &endless(every: 0.01))
    client = relay(key: "generation-#{name}")
    client.next_event
    stopped = server.get("/relays/stop?key=generation-#{name}").body
    events = client.events

    assert_equal({ "stopped" => true }, JSON.parse(stopped))
    assert_equal ["done", { "status" => "cancelled" }], [events.last.type, events.last.json]
    assert_predicate client, :clean?
    assert_equal %w[cancelled stopped], result.values_at("status", "reason")
    assert_operator result["text"], :start_with?, "0 ......"
    assert @upstream.requests.last.wait_gone, "the upstream was not let go"
  end

  def test_it_is_stopped_before_the_upstream_has_answered
    @upstream.on("/", &:stall)
    client = relay(key: name)
    client.next
    @upstream.wait_request
    server.get("/relays/stop?key=#{name}")

    assert_equal ["done"], client.events.map(&:type)
    assert_equal %w[cancelled stopped], result.values_at("status", "reason")
  end

  def test_it_is_stopped_by_its_handle_from_a_callback
    @upstream.on("/", &endless(every: 0.01))
    events = relay(every: 0.02, until: "5 .").events

    assert_equal ["done", { "status" => "cancelled" }], [events.last.type, events.last.json]
    assert_equal ["cancelled", "stopped", false], result.values_at("status", "reason", "stop")
    assert_includes result["text"], "5 ."
    assert @upstream.requests.last.wait_gone, "the upstream was not let go"
  end

  def test_it_is_stopped_by_its_handle_before_it_has_begun
    @upstream.on("/", &:stall)

    assert_equal ["done"], relay(stop_at_once: true).events.map(&:type)
    assert_equal %w[cancelled stopped], result.values_at("status", "reason")
    assert_equal 1, results
  end

  def test_the_result_says_whether_its_text_was_cut
    relay(collect: 4).events
    relay(note: "#{name}2").events

    assert_equal ["completed", "t0 ", true], result.values_at("status", "text", "cut")
    refute result(note: "#{name}2")["cut"]
  end

  def test_nothing_is_stopped_by_another_key
    assert_equal({ "stopped" => false }, JSON.parse(server.get("/relays/stop?key=nobody").body))
  end

  def test_it_can_outlive_the_browser
    @upstream.on("/") { |exchange| exchange.openai(tokens: 20, every: 0.02) }
    client = relay(on_disconnect: "continue", heartbeat: 0.1)
    client.next_event
    client.leave

    assert_equal ["completed", (0...20).map { |number| "t#{number} " }.join], result.values_at("status", "text")
  end

  def test_a_failure_is_told_also_when_the_browser_left_before
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).pause(0.3).close }
    client = relay(on_disconnect: "continue", heartbeat: 0.05)
    client.next_event
    client.leave

    assert_equal %w[failed closed], result.values_at("status", "reason")
  end

  def test_a_callback_that_raises_is_reported_and_harms_nobody
    relay(raise: true).events
    reported = assert_reported("RuntimeError")

    assert_equal "show", reported["context"]["action"]
    assert_equal 3, relay(note: "#{name}2").events.count { |event| event.type == "token" }
    assert_equal "completed", result(note: "#{name}2")["status"]
  end

  def test_notifications_tell_of_the_start_the_first_event_and_the_end
    relay(key: "k1").events
    server.notes.wait(name, "stream.streamer")
    notes = server.notes.of(name).select { |note| note["what"].end_with?(".streamer") }

    assert_equal %w[start.streamer first_event.streamer stream.streamer], notes.map { |note| note["what"] }
    assert_equal ["k1"], notes.map { |note| note["key"] }.uniq
    assert_equal ["show"], notes.map { |note| note["action"] }.uniq
    assert_kind_of Float, notes[1]["seconds"]
    assert_equal ["completed", 3], notes.last.values_at("status", "frames")
    refute_includes notes.to_s, "[FILTERED]"
  end

  def test_buffering_and_compressing_middleware_hold_nothing_back
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay(client: { headers: { "accept-encoding" => "gzip" } })

    assert_equal "t0 ", client.next_event.json["content"]
    assert_nil client.headers["etag"]
    assert_nil client.headers["content-length"]
    refute_equal "gzip", client.headers["content-encoding"]
    assert_match(/^set-cookie|^x-request-id/i, client.head)
  end

  def test_head_sends_nothing_upstream
    client = relay(client: { method: "HEAD" })

    assert_equal [200, "text/event-stream"], [client.status, client.headers["content-type"]]
    assert_empty client.body
    assert_empty @upstream.requests
    assert_equal 0, results
  end

  def test_every_framing_carries_the_same_events
    chunked = relay(id_prefix: "x", client: { version: "1.1" }).events
    bare = relay(id_prefix: "x", client: { version: "1.0" }).events

    assert_equal 4, chunked.size
    assert_equal chunked.map { |event| event.to_h.except(:at) }, bare.map { |event| event.to_h.except(:at) }
  end

  def test_a_browser_that_closes_while_the_upstream_is_silent_cancels_it
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay(heartbeat: 0)
    client.next_event
    client.leave

    assert @upstream.requests.last.wait_gone, "the upstream was not let go"
    assert_equal ["cancelled", "disconnected", "t0 "], result.values_at("status", "reason", "text")
    assert_equal 1, results
    assert_empty(server.notes.of(name).select { |note| note["what"] == "reported" })
  end

  def test_a_browser_that_closes_before_the_upstream_has_responded_cancels_it
    @upstream.on("/", &:stall)
    client = relay(heartbeat: 0.1)
    client.next
    request = @upstream.wait_request
    client.leave

    assert request.wait_gone, "the upstream was not let go"
    assert_equal %w[cancelled disconnected], result.values_at("status", "reason")
  end

  def test_a_browser_that_resets_in_the_middle_of_a_write_is_one_end_and_no_noise
    @upstream.on("/", &endless(every: 0.001, size: 500))
    client = relay
    client.next_event
    before = server.log.bytesize
    client.reset

    assert_equal %w[cancelled disconnected], result.values_at("status", "reason")
    assert_equal 1, results
    refute_match noise, server.log.byteslice(before..).to_s.scrub
  end

  def test_a_callback_has_the_actions_surroundings_and_the_next_request_has_not
    relay(user: "ada").events
    relay(note: "#{name}2").events

    assert_equal "ada", result["user"]
    assert_nil result(note: "#{name}2")["user"]
  end

  def test_no_connection_is_held_and_a_callback_returns_its_own
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).pause(0.4).chunk("data: [DONE]\n\n").finish }
    clients = Array.new(4) { |index| relay_database("#{name}#{index}").tap(&:next_event) } # the pool has two

    assert_equal "1", server.get("/plain/state").body[/"widgets":(\d)/, 1]
    clients.each(&:events)
    4.times { |index| assert_equal 1, server.notes.wait("#{name}#{index}", "counted")["widgets"] }
    assert wait { state["pool"]["busy"].zero? } if server.kind != :falcon # whose pool counts by fiber, among them this request's
    assert_equal "200", server.get("/plain/state").code
  end

  def test_an_exception_before_the_stream_is_an_ordinary_answer
    assert_equal "422", server.get("/relays/refused?upstream=#{@upstream.url}").code
    assert_empty @upstream.requests
  end

  def test_a_failure_after_the_first_byte_is_one_report_and_an_error_event
    @upstream.on("/") { |exchange| exchange.answer("#{Upstream.token(0)}data: {broken\n\n", type: "text/event-stream") }
    events = relay.events

    assert_equal %w[token error], events.map(&:type)
    assert_equal ["invalid_json", "The stream was interrupted by an error."], events.last.json.values_at("error", "message")
    assert_reported "Streamer::InvalidJSONError"
    upstream = result["timings"]["upstream"]
    assert_equal 1, result["delivered"]
    assert_includes %w[cancelled completed], upstream["outcome"] # whether we ended it, or it was over by then
    assert upstream["first_text"], "no first_text, although there was one"
  end

  def test_the_first_bytes_do_not_wait_for_the_upstream_and_silence_is_filled
    @upstream.on("/", &:stall)
    client = relay(heartbeat: 0.3)
    frames = Array.new(4) { client.next }

    assert_equal [""], frames.map(&:comment).uniq
    assert_operator frames.last.at - frames.first.at, :>, 0.4
  end

  private

  def relay_database(note)
    server.stream("/relays/database?#{URI.encode_www_form(upstream: @upstream.url, note: note)}").tap { |client| @clients << client }
  end

  # One report, unhandled, by this gem.
  def assert_reported(error)
    server.notes.wait(name, "reported")
    sleep 0.05
    reports = server.notes.of(name).select { |note| note["what"] == "reported" }

    assert_equal [[error, false, "streamer"]], reports.map { |report| report.values_at("error", "handled", "source") }
    reports.first
  end
end

class PumaRelayTest < Minitest::Test
  KIND = :puma
  include RelayTests

  def noise = /./

  def test_under_action_controller_live_the_events_and_the_result_are_the_same
    events = server.stream("/live/relayed?#{URI.encode_www_form(upstream: @upstream.url("/"), note: name)}").events

    assert_equal %w[token token token done], events.map(&:type)
    assert_equal ["completed", "t0 t1 t2 "], result.values_at("status", "text")
  end

  def test_callbacks_run_on_one_thread_of_their_own
    relay.events

    assert_equal "streamer-callbacks", result["thread"]
  end

  def test_the_result_comes_at_the_streams_end_and_not_when_the_server_lets_go
    let_go = hold_after_a_token
    client = relay
    client.next_event

    assert_equal 0, results
    let_go.call
    client.events
    assert_equal "completed", result["status"]
    sleep 0.05
    assert_equal 1, results
  end

  def test_half_closing_is_leaving
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay
    client.next_event
    client.half_close

    assert_equal %w[cancelled disconnected], result.values_at("status", "reason")
  end

  def test_frames_can_be_held_back_for_fewer_larger_writes
    @upstream.on("/") { |exchange| exchange.openai(tokens: 40, every: 0.005) }
    arrivals = relay(flush: '{"every":0.1}').events.map(&:at).uniq

    assert_includes 2..39, arrivals.size
  end
end

class PumaClusterRelayTest < Minitest::Test
  KIND = :puma_cluster
  include RelayCase

  def test_each_worker_forked_from_a_preloaded_application_relays
    streams = Array.new(8) do |index|
      [relay(note: "#{name}#{index}"), index]
    end
    tokens = streams.map { |client, _| client.events.count { |event| event.type == "token" } }
    states = Array.new(12) { state["pid"] }.uniq

    assert_equal [3] * 8, tokens
    assert_equal ["completed"], streams.map { |_, index| result(note: "#{name}#{index}")["status"] }.uniq
    assert_operator states.size, :>=, 1
    refute_includes states, server.pid
  end
end

class FalconRelayTest < Minitest::Test
  KIND = :falcon
  include RelayTests

  # Falcon itself logs every browser that breaks off, with a backtrace of its own.
  def noise = %r{lib/streamer/|Stream ended}

  def test_no_header_of_http_1_framing_is_set_and_falcon_has_nothing_to_warn_of
    quiet = AppServer.new(:falcon) # to which nobody else has been, whose leaving it would log
    before = quiet.log.bytesize
    client = relay(on: quiet)
    client.events

    assert_equal "", quiet.log.byteslice(before..)
    assert_predicate client, :clean?
  ensure
    quiet&.stop
  end
end
