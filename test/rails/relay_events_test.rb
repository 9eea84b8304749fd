# frozen_string_literal: true

require "test_helper"
require "support/rails_app"
require "support/upstream"
require "action_dispatch/testing/integration"

# relay_events as an application's own tests see it: without a server, the whole relay within `get`.
class RelayEventsTest < ActionDispatch::IntegrationTest
  self.app = RailsApp::Application

  def setup
    @upstream = Upstream.new { |exchange| exchange.openai(tokens: 3) }
  end

  def teardown = @upstream.stop

  def relay(**parameters)
    get "/relays/show", params: { upstream: @upstream.url("/"), note: name }.merge(parameters)
  end

  def events = Streamer::Decoder.new.feed(response.body)
  def result = RailsApp::NOTES.of(name).find { |note| note["what"] == "result" }

  def test_get_gives_the_whole_stream_and_the_callback_has_run
    relay

    assert_equal %w[token token token done], events.map(&:type)
    assert_equal ["completed", "t0 t1 t2 "], result.values_at("status", "text")
  end

  def test_the_key_is_the_callers_or_random
    relay(key: "mine")
    assert_equal "mine", result["key"]

    get "/relays/show", params: { upstream: @upstream.url("/"), note: "#{name}2" }
    assert_match(/\A\h{32}\z/, RailsApp::NOTES.wait("#{name}2", "result")["key"])
  end

  def test_row_65_a_socket_that_cannot_be_taken_over_is_a_result_too
    browser, server = UNIXSocket.pair
    env = Rack::MockRequest.env_for("/relays/show?#{URI.encode_www_form(upstream: @upstream.url("/"), note: name)}", "puma.socket" => server)
    _, _, body = RailsApp::Application.call(env)
    server.close
    body.call(server)

    assert_equal %w[failed internal IOError], result.values_at("status", "reason", "error")
    assert_empty @upstream.requests
  ensure
    browser&.close
  end

  def test_wrong_options_are_refused_before_anything_is_sent
    [{ frame: "xml" }, { on_disconnect: "maybe" }, { event: "a\nb" }].each do |option|
      relay(**option)

      assert_response :internal_server_error
    end
    assert_empty @upstream.requests
  end
end
