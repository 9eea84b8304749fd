# frozen_string_literal: true

require "support/relay_case"

class ReloadTest < Minitest::Test
  include RelayCase

  def server
    @server ||= AppServer.new(:puma, variables: { "RELOADING" => "1" })
  end

  def teardown
    super
    @server&.stop
  end

  def test_an_open_relay_does_not_block_reloading
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    relay.next_event

    assert_equal "reloaded", server.get("/plain/reload").body

    # Whereas a stream whose code is still running does:
    client = server.stream("/streams/late?wait=10").tap(&:next)
    assert_equal "blocked", server.get("/plain/reload").body
    client.leave
  end
end
