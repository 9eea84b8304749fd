# frozen_string_literal: true

require "test_helper"
require "socket"
require "streamer/sinks/cork"

class CorkTest < Minitest::Test
  Cork = Streamer::Sinks::Cork

  def setup
    skip "this system has no TCP_CORK" unless Cork::SUPPORTED
    @listener = TCPServer.new("127.0.0.1", 0)
    @socket = TCPSocket.new("127.0.0.1", @listener.local_address.ip_port)
    @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_CORK, 1)
  end

  def teardown
    [@socket, @listener].compact.each(&:close)
  end

  def corked? = @socket.getsockopt(Socket::IPPROTO_TCP, Socket::TCP_CORK).bool

  def test_it_releases_pumas_cork
    Cork.release({ "puma.socket" => @socket })

    refute_predicate self, :corked?
  end

  def test_it_does_nothing_elsewhere
    Cork.release({})
    left, right = UNIXSocket.pair
    Cork.release({ "puma.socket" => left })

    assert_predicate self, :corked?
  ensure
    [left, right].compact.each(&:close)
  end

  def test_a_closed_socket_is_no_error
    closed = @socket.dup.tap(&:close)

    assert_nil Cork.release({ "puma.socket" => closed })
  end

  def test_only_live_streams_are_touched
    stream = Object.new

    assert_nil Cork.release_for(stream)
    assert_empty stream.singleton_methods
  end
end
