# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "streamer/sinks/socket"
require "streamer/sinks/events"

# Where other clients lose their connections.
module ConnectionPeersTests
  VALUE = "choices.0.delta.content"

  # A pool that dies with its event loop, or with the object that made it, opens one for each.
  def test_one_connection_for_many_short_lived_clients
    server = upstream(&:echo)
    5.times { Streamer::Client.new(server.url).get("/").read }

    assert_equal 1, server.connections
  end

  # A client that leaves at the end marker loses the connection, because the chunked body's end comes behind it.
  def test_a_body_that_ends_behind_its_end_marker_leaves_the_connection_to_the_next
    server = upstream { |exchange| exchange.head.chunk(Upstream.token(0)).chunk("data: [DONE]\n\n").pause(0.05).finish }
    client = Streamer::Client.new(server.url)
    3.times { assert_equal ["t0 "], client.get("/").each_value(VALUE).to_a }

    assert_equal 1, server.connections
  end

  # A relay that is over for its browser drains its upstream behind its back.
  def test_a_relay_drains_its_upstream_and_leaves_the_connection_to_the_next
    server = upstream { |exchange| exchange.head.chunk(Upstream.token(0)).chunk("data: [DONE]\n\n").pause(0.02).finish }
    3.times do
      relay(server)
      sleep 0.005 until Streamer.stats[:upstreams].zero?
    end

    assert_equal 1, server.connections
  end

  # What cannot be cleaned up is closed, and takes no place in a pool; one that is not told is full after so many.
  def test_cancelled_streams_take_no_place
    server = upstream { |exchange| exchange.request.path == "/" ? exchange.echo : exchange.head.chunk("data: a\n\n").stall }
    client = Streamer::Client.new(server.url)
    60.times { client.get("/silent").each_event { break } }
    client.get("/").read

    assert_equal 61, server.requests.size
    assert(server.requests.first(60).all?(&:wait_gone))
  end

  private

  def relay(server)
    browser, ours = UNIXSocket.pair
    events = Streamer::Sinks::Events.new(Streamer::Sinks::Socket.new(ours, chunked: false, heartbeat: nil))
    events.relay(Streamer::Request.new("GET", server.url), value: VALUE, event: "token")
    events.close
    assert_includes browser.read, "t0 "
  ensure
    browser.close
  end
end

class ConnectionPeersOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include ConnectionPeersTests
end

class ConnectionPeersInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include ConnectionPeersTests
end

class ConnectionPeersInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include ConnectionPeersTests
end

class EventLoopPeersTest < Minitest::Test
  include Contexts::Threads

  # async-http's pool ends with the event loop, so each of these would open a connection.
  def test_short_event_loops_of_one_thread_share_its_connections
    server = upstream(&:echo)
    client = Streamer::Client.new(server.url)
    5.times { Sync { client.get("/").read } }

    assert_equal 1, server.connections
  end
end
