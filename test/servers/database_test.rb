# frozen_string_literal: true

require "test_helper"
require "support/app_server"
require "support/upstream"

# A stream holds no database connection while it waits: the application has two.
module DatabaseTests
  include WithUpstream

  STREAMS = 4

  def server = AppServer.shared(self.class::KIND)

  def test_waiting_streams_leave_the_pool_free
    clients = Array.new(STREAMS) { server.stream("/streams/database?hold=3") }
    clients.each { |client| assert_equal 1, client.next_event.json["widgets"] }
    state = pool_state

    assert_equal 0, state["busy"]
    assert_equal 0, state["waiting"]
    clients.each { |client| assert client.events.last.json["widgets"] }
  end

  def test_relays_leave_the_pool_free_even_after_a_query_in_the_block
    with_silent_upstream do |upstream|
      clients = Array.new(STREAMS) { server.stream("/streams/database?inside=yes&hold=0&upstream=#{upstream.url}") }
      clients.each(&:next_event)
      upstream.wait_request(STREAMS)

      assert_soon_free
      clients.each(&:leave)
    end
  end

  def test_an_open_transaction_survives_a_relay
    with_upstream(->(exchange) { exchange.openai(tokens: 1) }) do |upstream|
      assert_equal 0, server.stream("/streams/transaction?upstream=#{upstream.url}").events.last.json["kept"]
    end
  end

  private

  # The streams stay open: the upstream says nothing more. Others may still be giving theirs back.
  def assert_soon_free
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 10
    sleep 0.02 until pool_state["busy"].zero? || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    assert_equal 0, pool_state["busy"]
  end

  def pool_state = JSON.parse(server.get("/plain/state").body)["pool"]

  def with_silent_upstream(&block) = with_upstream(->(exchange) { exchange.head.stall }, &block)
end

class PumaDatabaseTest < Minitest::Test
  KIND = :puma
  include DatabaseTests
end

class FalconDatabaseTest < Minitest::Test
  KIND = :falcon
  include DatabaseTests
end
