# frozen_string_literal: true

require "test_helper"
require "support/rails_app"
require "action_dispatch/testing/integration"

# stream_events as an application's own tests see it: without a server.
class ControllerTest < ActionDispatch::IntegrationTest
  self.app = RailsApp::Application

  def events = Streamer::Decoder.new.feed(response.body)
  def notes = RailsApp::NOTES.of(name).map { |note| note["what"] }

  def test_get_gives_the_whole_stream
    get "/streams/events?count=4"

    assert_equal "text/event-stream", response.media_type
    assert_equal [0, 1, 2, 3], events.map { |event| event.json["index"] }
  end

  def test_a_controller_that_includes_it_gets_private_methods_and_no_constant
    concern = Module.new { include Streamer::Controller }
    controller = Class.new(ActionController::Base) { include concern }

    assert_equal %i[durable_stream follow_events last_event_id relay_events relay_into respond_to stream_events],
                 (controller.private_instance_methods - Class.new(ActionController::Base).private_instance_methods).sort
    assert_empty Streamer::Controller.constants.select { |name| controller.const_defined?(name) && !Object.const_defined?(name) }
  end

  def test_an_api_controller_streams_too
    get "/api/events"

    assert_equal [["step", { "step" => 1 }]], events.map { |event| [event.type, event.json] }
  end

  def test_head_has_no_body
    head "/streams/events"

    assert_response :ok
    assert_equal "text/event-stream", response.media_type
    assert_empty response.body
  end

  def test_the_block_has_the_actions_surroundings
    get "/streams/context?user=ada"

    assert_equal({ "user" => "ada", "locale" => "de", "zone" => "Europe/Berlin" },
                 events.first.json.slice("user", "locale", "zone"))
  end

  def test_an_error_in_the_block_hides_its_message
    get "/streams/failed_inside"

    assert_equal({ "error" => "internal", "message" => "The stream was interrupted by an error." }, events.last.json)
  end

  def test_where_rails_shows_details_so_does_the_error_event
    with_detailed_errors do
      get "/streams/failed_inside"

      assert_equal({ "error" => "internal", "message" => "a secret of the application" }, events.last.json)
    end
  end

  def test_an_upstreams_error_has_its_own_name_and_no_address
    get "/streams/failed_upstream"

    assert_equal({ "error" => "idle_timeout", "message" => "The stream was interrupted by an error." }, events.last.json)
  end

  def test_an_error_is_reported_once
    get "/streams/failed_inside?note=#{name}"

    assert_equal ["reported"], notes
  end

  def test_a_second_stream_is_a_double_render
    get "/streams/twice?note=#{name}"

    assert_equal ["refused"], notes
    assert_equal ["first"], events.map(&:data)
  end

  def test_a_page_after_a_stream_is_a_double_render
    get "/streams/rendered?note=#{name}"

    assert_equal ["refused"], notes
    assert_equal ["first"], events.map(&:data)
  end

  def test_a_stream_after_a_page_is_a_double_render
    get "/streams/refused?note=#{name}"

    assert_equal ["refused"], notes
    assert_equal "a page", response.body
  end

  def test_cookies_session_and_flash_are_sent
    get "/streams/events"

    assert_equal "yes", cookies["plain"]
    assert session[:seen]
    assert_equal "hello", flash[:notice]
  end

  def test_what_went_out_with_the_head_can_be_read_and_a_later_write_raises
    %w[session cookies signed delete flash reset].each do |what|
      get "/streams/events"
      get "/streams/sealed", params: { what: what, note: "#{name}-#{what}" }
      reported = RailsApp::NOTES.of("#{name}-#{what}")

      assert_equal [{ "read" => [true, "yes", "hello"] }, "internal"], [events.first.json, events.last.json["error"]], what
      assert_equal ["FrozenError"], reported.map { |note| note["error"] }, what
      assert_equal "yes", cookies["plain"]
    end
  end

  def test_other_actions_keep_their_etag
    get "/streams/plain"
    get "/streams/plain", headers: { "If-None-Match" => response.headers["etag"] }

    assert_response :not_modified
  end

  def test_it_needs_a_block
    error = assert_raises(ArgumentError) { RailsApp::StreamsController.new.send(:stream_events) }

    assert_match(/block/, error.message)
  end

  def test_relay_events_names_the_argument_that_is_wrong
    request = Streamer::Request.new("GET", "http://127.0.0.1")
    wrong = { heartbeat: "15", flush: 0.1, keep: ["a"], terminal: "done", on_text: 5, every: "1", on_disconnect: :stay, frame: :xml }
    calls = wrong.map { |name, value| [request, { name => value }, /\b#{name}\b/] } << ["http://127.0.0.1", {}, /Request/]
    calls.each do |upstream, options, named|
      controller = RailsApp::StreamsController.new.tap do |made|
        made.set_request!(ActionDispatch::TestRequest.create)
        made.set_response!(ActionDispatch::Response.new)
      end
      error = assert_raises(ArgumentError) { controller.send(:relay_events, upstream, **options) }
      assert_match named, error.message
    end
  end

  def test_its_methods_are_no_actions
    refute_includes RailsApp::StreamsController.action_methods, "stream_events"
    refute_includes RailsApp::StreamsController.action_methods, "relay_events"
  end

  private

  def with_detailed_errors
    env = RailsApp::Application.env_config
    env["action_dispatch.show_detailed_exceptions"] = true
    yield
  ensure
    env["action_dispatch.show_detailed_exceptions"] = false
  end
end
