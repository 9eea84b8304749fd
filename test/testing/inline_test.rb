# frozen_string_literal: true

require "test_helper"
require "puma"
require "puma/server"
require "securerandom"
require "support/rails_app"
require "support/sse_client"
require "streamer/testing"

# A Puma in the test's own process, as system tests have it.
class InlineTest < Minitest::Test
  include Streamer::Testing::Assertions

  TOKENS = Array.new(3) { |number| { token: { content: "t#{number} " } } }.freeze

  def setup
    @upstream = Streamer::Testing::Upstream.new { |exchange| exchange.openai(tokens: 3, every: 0.02) }
    @puma = Puma::Server.new(RailsApp::Application, nil, max_threads: 2, log_writer: Puma::LogWriter.null)
    @puma.add_tcp_listener("127.0.0.1", 0)
    @puma.run
  end

  def teardown
    @puma.stop(true)
    @upstream.stop
  end

  def test_the_callback_has_run_when_the_request_is_over
    Streamer::Testing.inline! do
      assert_events relay, *TOKENS, { done: { status: "completed" } }

      assert_equal ["completed", "t0 t1 t2 "], result.values_at("status", "text")
      assert_match(/puma/, result["thread"])
    end
  end

  def test_the_block_ends_it
    Streamer::Testing.inline! { relay }
    assert_events relay, *TOKENS, :done

    refute_match(/puma/, RailsApp::NOTES.wait(@note, "result")["thread"].to_s)
  end

  def test_a_failed_upstream_is_seen_in_the_same_way
    @upstream.on("/") { |exchange| exchange.json({ error: "no" }, status: 500) }
    Streamer::Testing.inline! do
      assert_event relay, { error: { error: "response", message: String } }
      assert_equal "failed", result["status"]
    end
  end

  private

  def relay
    query = URI.encode_www_form(upstream: @upstream.url("/"), note: @note = SecureRandom.hex)
    SSEClient.new(@puma.connected_ports.first, "/relays/show?#{query}").body
  end

  def result = RailsApp::NOTES.of(@note).find { |note| note["what"] == "result" }
end
