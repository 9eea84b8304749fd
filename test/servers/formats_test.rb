# frozen_string_literal: true

require "test_helper"
require "support/app_server"
require "support/upstream"

# An event stream among the formats of an action, on real servers.
module FormatsTests
  include WithUpstream

  # One with heartbeats that a test can wait for.
  def server
    AppServer.shared(self.class::KIND)
  end

  def test_a_list_that_names_event_streams_gets_one_also_over_http_1_0
    %w[1.1 1.0].each do |version|
      client = ask("/formats/four", "text/event-stream, */*", version: version)

      assert_equal ["text/event-stream", "Accept"], [client.headers["content-type"], client.headers["vary"]], version
      assert_equal ["step"], client.events.map(&:type)
      assert_predicate client, :clean?
    end
  end

  def test_head_has_the_formats_head_and_runs_no_block
    client = ask("/formats/four", "text/event-stream", method: "HEAD")

    assert_equal [200, "text/event-stream", ""], [client.status, client.headers["content-type"], client.body]
  end

  def test_the_other_formats_of_such_an_action_are_no_streams # row 30
    page = server.get("/formats/four", "accept" => "text/html")
    again = server.get("/formats/four", "accept" => "text/html", "if-none-match" => page["etag"])

    assert_equal ["a page", "Accept"], [page.body, page["vary"][/Accept\b(?!-)/]]
    assert_equal "304", again.code
  end

  def test_json_is_the_same_stream_when_it_has_ended
    events = JSON.parse(server.get("/formats/collected", "accept" => "application/json").body)["events"]

    assert_equal(["{\"step\":1}", "two\nlines"], events.map { |event| event["data"] })
  end

  def test_json_of_a_relay_comes_with_its_end_and_its_result
    events = with_two_tokens do |url|
      JSON.parse(server.get("/formats/collected_relay?upstream=#{url}&note=#{name}", "accept" => "application/json").body)["events"]
    end

    assert_equal(%w[token token done], events.map { |event| event["event"] })
    assert_equal "completed", server.notes.wait(name, "result")["status"]
  end

  def test_what_an_action_throws_reaches_its_middleware # row 27
    client = ask("/formats/unauthenticated", "text/event-stream")

    assert_equal [401, "sign in first, user"], [client.status, client.body]
  end

  def test_an_error_before_the_head_keeps_its_status_and_can_be_read # row 94
    client = ask("/formats/missing", "text/event-stream")

    assert_equal [404, { "status" => 404, "error" => "Not Found" }], [client.status, JSON.parse(client.body)]
  end

  def test_the_stream_has_the_actions_databases_and_log_tags # row 19
    assert_equal({ "role" => "reading", "writes" => false, "tags" => ["request-7"] },
                 ask("/formats/surroundings", "text/event-stream").next_event.json)
    assert_equal({ "role" => "writing", "writes" => true, "tags" => [] }, JSON.parse(server.get("/formats/surroundings_of_others").body))
  end

  def test_a_relays_callback_has_the_actions_databases_and_log_tags # row 19
    with_two_tokens { |url| ask("/formats/relayed_surroundings?upstream=#{url}&note=#{name}", "text/event-stream").events }

    assert_equal({ "role" => "reading", "writes" => false, "tags" => ["request-7"] },
                 server.notes.wait(name, "result").slice("role", "writes", "tags"))
  end

  def test_a_heartbeat_can_be_an_event
    quick = AppServer.new(self.class::KIND, variables: { "HEARTBEAT" => "0.1" })
    events = quick.stream("/formats/beating?wait=0.7").events

    assert_includes 2..7, events.size
    assert_equal [["heartbeat", "{}", nil]], events.map { |event| [event.type, event.data, event.id] }.uniq
  ensure
    quick&.stop
  end

  private

  def ask(path, accept, **options) = server.stream(path, headers: { "accept" => accept }, **options)

  def with_two_tokens = with_upstream(->(exchange) { exchange.openai(tokens: 2) }) { |upstream| yield upstream.url }
end

class PumaFormatsTest < Minitest::Test
  KIND = :puma
  include FormatsTests
end

class FalconFormatsTest < Minitest::Test
  KIND = :falcon
  include FormatsTests
end
