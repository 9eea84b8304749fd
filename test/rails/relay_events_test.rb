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

  # The application's answer as Puma gets it: yields Puma's socket, the body, and the browser's end.
  def with_socket(env = {}, query: {})
    browser, server = UNIXSocket.pair
    query = URI.encode_www_form({ upstream: @upstream.url("/"), note: name }.merge(query))
    _, _, body = RailsApp::Application.call(Rack::MockRequest.env_for("/relays/show?#{query}", env.merge("puma.socket" => server)))
    yield server, body, browser
  ensure
    browser&.close
  end

  def results
    RailsApp::NOTES.of(name).select { |note| note["what"] == "result" }.map { |note| note.values_at("status", "reason") }
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

  def test_a_socket_that_cannot_be_taken_over_is_a_result_too
    with_socket do |server, body|
      server.close
      body.call(server)
      body.close
    end

    assert_equal [%w[failed internal]], results
    assert_equal "IOError", result["error"]
    assert_empty @upstream.requests
  end

  def test_a_browser_that_left_before_the_head_was_sent_is_a_result_too
    finished = []
    with_socket({ "rack.response_finished" => finished }) do |server, body|
      server.close
      body.close # as Puma does, which does not call it then
      finished.each { |callback| callback.call({}, 200, {}, nil) }
    end

    assert_equal [%w[cancelled cancelled]], results
    assert_empty @upstream.requests
  end

  def test_a_server_that_says_only_that_the_response_is_over_is_believed
    finished = []
    with_socket({ "rack.response_finished" => finished }) { finished.each { |callback| callback.call({}, nil, nil, IOError.new) } } # as Falcon

    assert_equal [%w[cancelled cancelled]], results
  end

  def test_a_body_that_was_called_and_closed_is_one_result
    with_socket do |server, body|
      body.call(server)
      body.close
      RailsApp::NOTES.wait(name, "result")
    end

    assert_equal [["completed", nil]], results
  end

  def test_a_browser_that_left_before_the_first_byte_is_outlived_too
    with_socket(query: { on_disconnect: "continue" }) do |server, body, browser|
      browser.close
      body.call(server)
      body.close
      RailsApp::NOTES.wait(name, "result")
    end

    assert_equal [["completed", nil]], results
    assert_equal "t0 t1 t2 ", result["text"]
  end

  def test_wrong_options_are_refused_before_anything_is_sent
    [{ frame: "xml" }, { on_disconnect: "maybe" }, { event: "a\nb" }].each do |option|
      relay(**option)

      assert_response :internal_server_error
    end
    assert_empty @upstream.requests
  end
end
