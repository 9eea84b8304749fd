# frozen_string_literal: true

require "test_helper"
require "support/follow_case"

# What follow_events promises, on real servers.
module FollowTests
  include FollowCase

  def test_the_head_says_that_the_answer_is_a_stream_that_nobody_keeps
    client = follow(create)

    assert_equal 200, client.status
    assert_equal "text/event-stream", client.headers["content-type"]
    assert_match(/no-store/i, client.headers["cache-control"])
    assert_match(/no-transform/, client.headers["cache-control"])
    assert_match(/\bAccept\b/, client.headers["vary"])
  end

  def test_the_first_frame_has_the_position_and_a_time_to_come_back_after
    prime = follow(written, after: "1-2").next

    assert_equal ["1-2", nil], [prime.id, prime.data]
    assert_includes 1000..3000, prime.retry.to_i
    assert_equal %w[0-0 70], follow(create, retry: 70).next.then { |frame| [frame.id, frame.retry] }
  end

  def test_a_browser_that_comes_before_anything_is_written_gets_all_of_it
    key = create
    client = follow(key)
    client.next
    queued = client.next
    ask("write", key: key, tokens: 20, close: "completed")
    reader = reader(client)

    assert_equal({ "phase" => "queued" }, queued.json)
    assert_equal [tokens(20), "completed"], [reader.text, reader.state]
    assert_predicate client, :clean?
  end

  def test_entries_come_as_they_are_written
    key = written(tokens: 1)
    client = follow(key, after: "1-1")
    client.next
    3.times do |index|
      ask("append", key: key, text: "now#{index}")

      assert_equal "now#{index}", client.next_event.json["content"]
    end
  end

  def test_row_43_a_browser_that_has_the_close_is_told_not_to_come_back
    key = written(close: "completed")
    response = server.get("/logs/follow?key=#{key}", "last-event-id" => "1-4", "accept" => "text/event-stream")

    assert_equal "204", response.code
    assert_match(/no-store/, response["cache-control"])
    assert_nil response.body
  end

  def test_row_44_every_position_gets_exactly_what_is_behind_it
    key = written(tokens: 8)
    ask("append", key: key, text: "end", close: "completed")
    8.times do |index|
      reader = reader(follow(key, after: "1-#{index}"), after: "1-#{index}", text: tokens(index))

      assert_equal ["#{tokens(8)}end", "completed", 0], [reader.text, reader.state, reader.gaps]
    end
  end

  def test_row_44_what_is_no_position_is_refused
    key = written
    ["x", "1-", "01-1", "1-99999999999", "0:1-1,1-1"].each do |id|
      assert_equal 400, follow(key, after: id).status, id
    end
    assert_equal 400, server.stream("/logs/follow?key=#{key}&last_event_id=1-1").status
  end

  def test_row_92_logs_of_others_and_none_are_refused_each_time
    key = written

    assert_equal 404, follow("unknown").status
    assert_equal 404, follow("../%00 no key").status
    assert_equal 403, server.stream("/logs/forbidden?key=#{key}").status
    2.times { follow(key, after: "1-1", note: "#{name} twice") }

    assert_equal 2, server.notes.of("#{name} twice").count { |note| note["what"] == "authorized" }
  end

  def test_row_94_an_error_before_the_head_keeps_its_status
    client = follow("unknown")

    assert_equal 404, client.status
    assert_match(/json/, client.headers["content-type"])
  end

  def test_row_45_browsers_that_come_at_any_moment_get_the_same_text
    key = written(tokens: 0)
    readers = Array.new(12) do |index|
      ask("append", key: key, tokens: 5)
      client = follow(key)
      Thread.new { reader(client) }.tap { ask("append", key: key, text: "#{index} ") }
    end
    ask("append", key: key, close: "completed")
    texts = readers.map { |thread| thread.value.text }

    assert_equal [ask("state", key: key)[:text]], texts.uniq
  end

  def test_row_46_a_stop_is_the_end_for_those_who_follow_and_for_those_who_come_back
    key = written(tokens: 2)
    client = follow(key)
    resumed = follow(key, after: "1-1")
    ask("stop", key: key)

    assert_equal [tokens(2), "cancelled"], reader(client).then { |reader| [reader.text, reader.state] }
    assert_equal [tokens(2), "cancelled"], reader(resumed, after: "1-1", text: "t0 ").then { |reader| [reader.text, reader.state] }
    assert_equal "cancelled", ask("stop", key: key)[:state]
    assert_equal 204, follow(key, after: ask("state", key: key)[:position]).status
  end

  def test_row_72_entries_that_are_gone_are_told_and_healed
    key = written(tokens: 50, event: "source")
    ask("append", key: key, text: "end", close: "completed")
    ask("prune", key: key)
    reader = reader(follow(key, after: "1-3"), after: "1-3", text: tokens(3))

    assert_equal ["#{tokens(50)}end", "completed", 1, %w[1-51]], [reader.text, reader.state, reader.gaps, reader.events]
    assert_equal %w[gap.streamer follow.streamer], server.notes.of(name).map { |note| note["what"] }.grep(/streamer/)
    assert_equal ["1-3", "gap"], server.notes.wait(name, "follow.streamer").values_at("position", "mode")
  end

  def test_a_later_attempt_makes_the_text_of_earlier_ones_void_also_for_those_who_come_back
    key = written(tokens: 5)
    client = follow(key, after: "1-5")
    client.next
    ask("write", key: key, tokens: 2, word: "new", close: "completed")

    [[client, "1-5"], [follow(key, after: "1-2"), "1-2"]].each do |response, after|
      reader = reader(response, after: after, text: tokens(after[-1].to_i))

      assert_equal [tokens(2, "new"), "2-3", 0], [reader.text, reader.position.to_s, reader.gaps]
    end
  end

  def test_an_attempt_that_continues_keeps_the_text
    key = written(tokens: 5)
    client = follow(key, after: "1-5")
    client.next
    ask("write", key: key, mode: "continue", tokens: 1, word: "on", close: "completed")

    assert_equal "#{tokens(5)}on0 ", reader(client, after: "1-5", text: tokens(5)).text
    assert_equal "#{tokens(5)}on0 ", reader(follow(key, after: "1-2"), after: "1-2", text: tokens(2)).text
  end

  def test_row_91_line_ends_arrive_as_they_were
    key = written(tokens: 0)
    text = "a\rb\nc\r\nd\u2028\u0000e"
    ask("append", key: key, text: text, close: "completed")

    assert_equal text, reader(follow(key)).text
  end

  def test_silence_is_filled_with_heartbeats
    client = follow(written(tokens: 0), after: "1-0", heartbeat: 0.1)
    client.next
    frames = Array.new(3) { client.next }

    assert_equal ["", "", ""], frames.map(&:comment)
  end

  def test_a_browser_that_leaves_is_noticed
    key = written(tokens: 0)
    before = state[:readers]
    clients = Array.new(2) { follow(key, heartbeat: 0.1) }
    wait { state[:readers] >= before + 2 }
    clients.first.leave
    clients.last.reset

    wait { state[:readers] <= before }
  end

  def test_row_95_a_stream_is_ended_before_proxies_do_and_goes_on_where_it_was
    key = written(tokens: 2)
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    client = follow(key, rotate: 0.5)
    frames = client.events
    seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
    closing = frames.last
    last = frames.filter_map(&:id).last
    ask("append", key: key, text: "on", close: "completed")

    assert_equal ["closing", { "reason" => "rotate" }], [closing.type, closing.json]
    assert_includes 0..500, closing.retry.to_i
    assert_operator seconds, :<, 5
    assert_predicate client, :clean?
    assert_equal "#{tokens(2)}on", reader(follow(key, after: last), after: last, text: tokens(2)).text
  end

  def test_row_100_several_logs_have_one_connection_and_one_id
    first, second, third = written(tokens: 1, word: "a"), written(tokens: 1, word: "b"), written(tokens: 1, close: "failed")
    client = follow(first, second, third)
    prime = client.next
    ask("append", key: second, text: "more", close: "completed")
    ask("append", key: first, text: "more", close: "completed")
    frames = client.events
    texts = frames.select { |frame| frame.type == "token" }.group_by { |frame| frame.id[/\A\d+/] }
                  .transform_values { |of_one| of_one.map { |frame| frame.json["content"] } }

    assert_equal "0:0-0,0-0,0-0", prime.id
    assert_equal({ "0" => ["a0 ", "more"], "1" => ["b0 ", "more"] }, texts.slice("0", "1"))
    assert_equal %w[done done failed], frames.map(&:type).grep(/done|failed/).sort
    assert_match(/\A\d:1-3,1-3,1-2\z/, frames.last.id)
    assert_equal 204, follow(first, second, third, after: frames.last.id).status
  end

  def test_row_100_one_id_resumes_all
    keys = %w[a b].map { |word| written(tokens: 3, word: word) }
    client = follow(*keys, after: "1:1-3,1-1")
    client.next
    keys.each { |key| ask("append", key: key, text: "end", close: "completed") }
    frames = client.events.select { |frame| frame.type == "token" }
    contents = frames.group_by { |frame| frame.id[/\A\d+/] }.transform_values { |of_one| of_one.map { |frame| frame.json["content"] } }

    assert_equal({ "0" => ["end"], "1" => ["b1 ", "b2 ", "end"] }, contents)
    assert_equal 400, follow(*keys, after: "1-1").status
    assert_equal 404, follow(keys.first, "unknown").status
  end

  def test_head_gets_the_head
    client = server.stream("/logs/follow?key=#{written}", method: "HEAD")

    assert_equal [200, "text/event-stream"], [client.status, client.headers["content-type"]]
  end

  def test_json_is_a_page_of_entries
    key = written(tokens: 5)
    page = page(key, limit: 3)

    assert_equal %w[1-0 1-1 1-2], page["entries"].map { |entry| entry["id"] }
    assert_equal({ "id" => "1-1", "event" => "token", "data" => "{\"content\":\"t0 \"}" }, page["entries"][1])
    assert_equal ["1-2", { "position" => "1-5", "attempt" => 1, "phase" => "running", "state" => nil }], page.values_at("next", "head")
    assert_equal %w[1-3 1-4 1-5], page(key, after: "1-2")["entries"].map { |entry| entry["id"] }
    assert_equal [[], "1-5"], page(key, after: "1-5").values_at("entries", "next")
  end

  def test_json_is_refused_where_the_parameters_are_none
    key = written

    assert_equal %w[400 400 404 406], [{ key: key, after: "x" }, { key: key, limit: "0" }, { key: "unknown" }, { key: "#{key} #{key}" }]
      .map { |parameters| json(**parameters).code }
  end

  def test_it_is_one_format_among_others
    key = written(close: "completed")

    assert_equal "a page", server.get("/logs/listed?key=#{key}", "accept" => "text/html").body
    client = server.stream("/logs/listed?key=#{key}")

    assert_equal tokens(3), reader(client).text
  end

  private

  def json(**parameters) = server.get("/logs/follow?#{URI.encode_www_form(parameters)}", "accept" => "application/json")

  def page(key, **parameters) = JSON.parse(json(key: key, **parameters).body)
end

class FollowOnPumaTest < Minitest::Test
  KIND = :puma
  include FollowTests

  def test_no_thread_and_no_connection_of_the_database_waits_for_a_reader
    key = written(tokens: 1)
    before = state
    clients = Array.new(60) { follow(key, after: "1-1") }
    clients.each(&:next)
    now = wait { state.then { |found| found if found[:readers] >= before[:readers] + 60 } }
    ask("append", key: key, text: "all")

    assert_equal ["all"], clients.map { |client| client.next_event.json["content"] }.uniq
    assert_operator now[:threads], :<=, before[:threads] + 2
    assert_equal 0, now[:pool][:busy]
    assert_empty now[:names].grep(/heartbeat/)
  end

  def test_a_store_that_is_away_is_503_and_readers_stay
    key = written(tokens: 1)
    client = follow(key, after: "1-1")
    client.next
    ask("away")

    assert_equal 503, follow(create_elsewhere, after: "1-0").status
    ask("away", back: 1)
    ask("append", key: key, text: "again")

    assert_equal "again", client.next_event.json["content"]
  ensure
    ask("away", back: 1)
  end

  private

  # A key that no reader here follows.
  def create_elsewhere = "elsewhere"
end

class FollowOnFalconTest < Minitest::Test
  KIND = :falcon
  include FollowTests
end

class FollowOverTLSTest < Minitest::Test
  include FollowTests

  # Each reader has a thread there.
  def server = @@server ||= AppServer.new(:puma_tls, threads: "20:20").tap { |server| Minitest.after_run { server.stop } }
end
