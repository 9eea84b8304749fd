# frozen_string_literal: true

require "test_helper"
require "support/rails_app"
require "support/upstream"
require "action_dispatch/testing/integration"

# An event stream among the formats of an action, without a server.
class FormatsTest < ActionDispatch::IntegrationTest
  include WithUpstream

  self.app = RailsApp::Application

  STREAM = "text/event-stream"
  FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
  CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"

  def events = Streamer::Decoder.new.feed(response.body)

  def ask(path, accept = STREAM, **options) = get(path, headers: { "Accept" => accept }, **options)

  def test_the_media_type_is_a_format
    assert_equal STREAM, Mime[:event_stream].to_s
    assert_equal :event_stream, Mime::Type.lookup(STREAM).symbol
  end

  def test_each_client_gets_the_format_that_it_accepts
    { STREAM => STREAM, "#{STREAM}, */*" => STREAM, "#{STREAM}, */*;q=0.1" => STREAM, "text/html;q=0.5, #{STREAM}, */*;q=0.1" => STREAM,
      "text/html, #{STREAM};q=0.5, */*;q=0.1" => "text/html", FIREFOX => "text/html", CHROME => "text/html", "*/*" => "text/html",
      "application/json" => "application/json", "text/plain" => "text/plain" }.each do |accept, type|
      ask "/formats/four", accept

      assert_equal [200, type], [response.status, response.media_type], accept
    end
  end

  def test_the_formats_block_is_that_of_stream_events
    ask "/formats/four"

    assert_equal([["step", "1", { "step" => 1 }]], events.map { |event| [event.type, event.id, event.json] })
  end

  def test_a_format_in_the_url_wins_over_accept
    get "/formats/four?format=json", headers: { "Accept" => "#{STREAM}, */*" }

    assert_equal "application/json", response.media_type
  end

  def test_every_format_of_such_an_action_says_that_it_depends_on_accept
    [STREAM, "#{STREAM}, */*", FIREFOX, "*/*", "application/json", "text/plain"].each do |accept|
      ask "/formats/four", accept

      assert_includes response.headers["Vary"].to_s.downcase.split(/,\s*/), "accept", accept
    end
  end

  def test_every_stream_tells_caches_to_ask_again # row 64
    %w[/formats/four /streams/events /api/events /api_formats/show].each do |path|
      ask path

      assert_equal "no-cache, no-transform", response.headers["Cache-Control"], path
    end
  end

  def test_an_action_without_that_format_is_not_acceptable # row 11
    ask "/formats/page_only"

    assert_response :not_acceptable
  end

  def test_json_is_the_same_stream_when_it_has_ended
    ask "/formats/collected", "application/json"

    assert_response :ok
    assert_equal "application/json", response.media_type
    assert_equal({ "events" => [{ "event" => "step", "id" => "1", "data" => '{"step":1}' },
                                { "event" => "message", "id" => "1", "data" => "two\nlines" }] }, response.parsed_body)
    assert_equal "yes", cookies["late"]
  end

  def test_json_also_of_a_relay
    with_two_tokens do |url|
      ask "/formats/collected_relay?upstream=#{url}&note=#{name}", "application/json"
    end

    assert_equal(%w[token token done], response.parsed_body["events"].map { |event| event["event"] })
    assert_equal({ "content" => "t0 " }, JSON.parse(response.parsed_body["events"].first["data"]))
    assert_equal ["completed"], RailsApp::NOTES.of(name).filter_map { |note| note["status"] if note["what"] == "result" }
  end

  def test_a_block_without_a_parameter_answers_by_itself
    with_two_tokens do |url|
      ask "/formats/collected_relay?upstream=#{url}"
    end

    assert_equal %w[token token done], events.map(&:type)
  end

  def test_options_for_a_block_that_answers_by_itself_are_refused
    ask "/formats/options_astray"

    assert_response :internal_server_error
  end

  def test_json_has_the_status_of_a_stream_that_failed_and_one_report
    ask "/formats/collected_failure?note=#{name}", "application/json"

    assert_response :internal_server_error
    assert_equal(%w[message error], response.parsed_body["events"].map { |event| event["event"] })
    assert_equal(["reported"], RailsApp::NOTES.of(name).map { |note| note["what"] })
  end

  def test_head_in_every_format_runs_no_block # row 11
    { STREAM => STREAM, "application/json" => "application/json" }.each do |accept, type|
      head "/formats/collected", headers: { "Accept" => accept }

      assert_equal [200, type, ""], [response.status, response.media_type, response.body]
      assert_nil cookies["late"]
    end
  end

  def test_an_error_before_the_head_keeps_its_status_and_says_it_in_json # rows 25 and 94
    ask "/formats/missing"

    assert_response :not_found
    assert_equal({ "status" => 404, "error" => "Not Found" }, response.parsed_body)
  end

  def test_where_rails_shows_details_it_shows_them_as_text
    env = RailsApp::Application.env_config
    env["action_dispatch.show_detailed_exceptions"] = true
    ask "/formats/missing"

    assert_response :not_found
    assert_equal "text/plain", response.media_type
    assert_includes response.body, "a secret of the application"
  ensure
    env["action_dispatch.show_detailed_exceptions"] = false
  end

  def test_an_error_for_a_browser_stays_a_page
    RailsApp::Application.env_config["action_dispatch.show_detailed_exceptions"] = true
    ask "/formats/missing", FIREFOX

    assert_equal "text/html", response.media_type
  ensure
    RailsApp::Application.env_config["action_dispatch.show_detailed_exceptions"] = false
  end

  def test_rescue_from_answers_before_the_head
    ask "/formats/rescued"

    assert_equal [404, "no such answer"], [response.status, response.body]
  end

  def test_what_an_action_renders_instead_of_a_stream_is_found_in_html
    ask "/formats/page"

    assert_equal [404, "text/html", "<p>refused</p>\n"], [response.status, response.media_type, response.body]
  end

  def test_a_partial_is_found_within_the_stream
    ask "/formats/partial"

    assert_equal ["<b>Ada</b>\n"], events.map(&:data)
  end

  def test_refusals_redirects_and_throws_are_those_of_any_action # row 27
    { "unauthorized" => [401, "sign in first"], "forbidden" => [403, "not yours"], "unauthenticated" => [401, "sign in first, user"],
      "finished" => [204, ""] }.each do |path, answer|
      ask "/formats/#{path}"

      assert_equal answer, [response.status, response.body]
    end
    ask "/formats/redirected"

    assert_redirected_to "/formats/four"
  end

  def test_a_post_needs_rails_own_token
    with_forgery_protection do
      post "/formats/posted", params: { question: "Why?" }, headers: { "Accept" => STREAM }

      assert_response :unprocessable_content
      assert_equal 422, response.parsed_body["status"]

      post "/formats/posted", params: { question: "Why?" }, headers: { "Accept" => STREAM, "X-CSRF-Token" => token }

      assert_equal ["Why?"], events.map(&:data)
    end
  end

  def test_in_an_api_controller_respond_to_is_there_and_knows_the_format
    ask "/api_formats/show", "#{STREAM}, */*"

    assert_equal ["step"], events.map(&:type)
    ask "/api_formats/show", "application/json"

    assert_equal({ "state" => "ready" }, response.parsed_body)
  end

  def test_an_api_controller_says_that_it_has_no_views
    ask "/api_formats/turbo?note=#{name}"

    assert_equal "internal", events.last.json["error"]
  end

  def test_a_live_controller_answers_each_format
    { STREAM => STREAM, "application/json" => "application/json", FIREFOX => "text/html" }.each do |accept, type|
      ask "/live_formats/show", accept

      assert_equal type, response.media_type, accept
      assert_includes response.headers["Vary"].split(/,\s*/), "Accept", accept
    end
  end

  def test_the_stream_has_the_actions_databases_and_log_tags # row 19
    ask "/formats/surroundings"

    assert_equal({ "role" => "reading", "writes" => false, "tags" => ["request-7"] }, events.first.json)
    get "/formats/surroundings_of_others"

    assert_equal({ "role" => "writing", "writes" => true, "tags" => [] }, response.parsed_body)
  end

  def test_a_stream_inside_an_open_transaction_is_refused_with_the_reason # row 21
    %w[transaction relay_in_transaction].each do |path|
      error = with_errors_raised { assert_raises(Streamer::OpenTransactionError) { ask "/formats/#{path}" } }

      assert_match(/(stream|relay)_events was called inside an open database transaction.*call it behind/, error.message)
    end
  end

  def test_the_transaction_that_a_test_is_rolled_back_with_is_none
    connection = ActiveRecord::Base.lease_connection
    connection.begin_transaction(joinable: false)
    ask "/streams/events"

    assert_response :ok
    assert_equal 3, events.size
  ensure
    connection.rollback_transaction
    ActiveRecord::Base.connection_handler.clear_active_connections!
  end

  def test_the_last_event_id_is_the_headers_or_the_signed_one_of_the_url
    url = Streamer::Controller::LastEventID.add_to("/formats/seen?page=2", "7")

    assert_match(%r{\A/formats/seen\?page=2&last_event_id=}, url)
    assert_equal "7", seen(url)
    assert_equal "9", seen(url, "9")
    assert_equal "9", seen("/formats/seen", "9")
    assert_nil seen("/formats/seen")
  end

  def test_a_last_event_id_that_was_not_signed_for_this_path_is_refused
    signed = Streamer::Controller::LastEventID.add_to("/streams/other", "7")[/\?.*/]
    ["?last_event_id=7", signed, "?last_event_id[]=7"].each do |query|
      get "/formats/seen#{query}", headers: { "Accept" => STREAM }

      assert_response :bad_request
    end
  end

  private

  def seen(url, header = nil)
    get url, headers: { "Last-Event-ID" => header }.compact
    response.parsed_body["seen"]
  end

  def with_two_tokens = with_upstream(->(exchange) { exchange.openai(tokens: 2) }) { |upstream| yield upstream.url }

  def with_forgery_protection
    before = ActionController::Base.allow_forgery_protection
    ActionController::Base.allow_forgery_protection = true
    yield
  ensure
    ActionController::Base.allow_forgery_protection = before
  end

  def with_errors_raised
    env = RailsApp::Application.env_config
    before = env["action_dispatch.show_exceptions"]
    env["action_dispatch.show_exceptions"] = :none
    yield
  ensure
    env["action_dispatch.show_exceptions"] = before
  end

  # As in a page's head, for the session that this makes.
  def token
    get "/formats/token"
    response.body
  end
end
