# frozen_string_literal: true

require "test_helper"
require "support/rails_app"
require "capybara/cuprite"
require "action_dispatch/system_test_case"
require "streamer/testing"

# What an application's system tests have: Capybara's server in this process, and Chromium.
class SystemTest < ActionDispatch::SystemTestCase
  SECONDS = 60
  driven_by :cuprite, options: {
    js_errors: true, process_timeout: SECONDS, timeout: SECONDS, browser_options: Process.uid.zero? ? { "no-sandbox" => nil } : {}
  }
  Capybara.server = :puma, { Silent: true }

  class PagesController < ActionController::Base
    include Streamer::Controller

    def show
      render html: <<~HTML.html_safe
        <p id="text"></p>
        <script>
          new EventSource("/endless").onmessage = (event) => document.getElementById("text").textContent = event.data
        </script>
      HTML
    end

    def endless
      stream_events do |events|
        events.write("here")
        Kernel.sleep 0.01 while events.connected?
      end
    end

    def relayed = relay_events(Streamer.request(:get, params[:upstream]))

    def deaf
      stream_events do |events|
        events.write("here")
        LATCH.pop
      end
    end
  end
  LATCH = Thread::Queue.new

  ROUTES = ActionDispatch::Routing::RouteSet.new.tap do |routes|
    routes.draw { %w[show endless relayed deaf].each { |name| get name, to: PagesController.action(name) } }
  end
  Capybara.app = ->(env) { ROUTES.call(env.reverse_merge!(RailsApp::Application.env_config)) }

  setup { RailsApp::Application }

  def self.test_order = :alpha

  test "a stream that a page has open is over when the test is" do
    visit "/show"
    assert_selector "#text", text: "here"
    assert_equal 1, Streamer::Controller::OpenStreams.threads.size
  end

  test "a stream that a page has open is over when the test is, as the next test sees" do
    assert_empty Streamer::Controller::OpenStreams.threads
  end

  test "a relay whose upstream is silent is ended with it" do
    upstream = Streamer::Testing::Upstream.new { |exchange| exchange.head.chunk("data: here\n\n").stall }
    visit "/show"
    execute_script("window.other = new EventSource('/relayed?upstream=#{upstream.url("/")}')")
    upstream.wait_request
    Streamer::Testing.close_streams

    assert upstream.requests.last.wait_gone
    assert_equal 0, Streamer::Relay::Registry.size
  ensure
    upstream.stop
  end

  test "a block that never writes is named with its place" do
    visit "/show"
    execute_script("window.other = new EventSource('/deaf')")
    Kernel.sleep 0.01 until LATCH.num_waiting == 1
    error = assert_raises(Streamer::Testing::OpenStream) { Streamer::Testing.close_streams(timeout: 0.1) }

    assert_match(/still open 0.1 s after they were ended.*system_test.rb/m, error.message)
  ensure
    LATCH << true
  end
end
