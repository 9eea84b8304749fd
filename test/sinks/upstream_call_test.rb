# frozen_string_literal: true

require "test_helper"
require "support/upstream"
require "streamer/sinks/upstream_call"

class UpstreamCallTest < Minitest::Test
  def setup
    @upstream = Upstream.new { |exchange| exchange.answer("here") }
    @upstream.on("/moved") { |exchange| exchange.redirect("/") }
    @upstream.on("/silent", &:stall)
  end

  def teardown = @upstream.stop

  def call(path) = Streamer::Sinks::UpstreamCall.new(Streamer::Request.new("GET", @upstream.url(path)))

  def test_it_follows_redirects
    assert_equal "here", call("/moved").response.read
  end

  def test_it_is_sent_once
    once = call("/")

    assert_same once.response, once.response
    assert_equal 1, @upstream.requests.size
  end

  def test_it_can_be_cancelled_before_there_is_an_answer
    silent = call("/silent")
    waiting = Thread.new { assert_raises(Streamer::CancelledError) { silent.response } }
    request = @upstream.wait_request
    silent.cancel

    assert waiting.join(20), "it still waits"
    assert request.wait_gone, "the upstream was not let go"
  end

  def test_it_can_be_cancelled_before_it_is_sent
    early = call("/silent")
    early.cancel

    assert_raises(Streamer::CancelledError) { early.response }
  end
end
