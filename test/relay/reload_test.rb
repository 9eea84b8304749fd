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

  def test_neither_an_open_relay_nor_an_open_stream_blocks_reloading
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    relay.next_event

    assert_equal "reloaded", server.get("/plain/reload").body

    client = server.stream("/streams/late?wait=10").tap(&:next)
    assert_equal "reloaded", server.get("/plain/reload").body
    client.leave
  end
end
