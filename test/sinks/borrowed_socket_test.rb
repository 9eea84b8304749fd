# frozen_string_literal: true

require "test_helper"
require "socket"
require "active_support/notifications"
require "streamer/sinks/borrowed_socket"
require "support/contexts"

# Where Falcon's connection would be: a socket that is the server's before and after the stream.
module BorrowedSocketTests
  # The server's end of the body.
  class Body
    attr_reader :closed

    def close = @closed = true
  end

  def setup
    super
    @browser, @server = UNIXSocket.pair
    @body = Body.new
    @sink = Streamer::Sinks::BorrowedSocket.new(@server, @body, heartbeat: nil)
  end

  def teardown
    @sink.close
    [@browser, @server].each(&:close)
    super
  end

  def test_chunks_are_written_and_the_last_one_is_the_servers
    @sink.write("data: 1\n\n")
    refute @body.closed
    @sink.close

    assert @body.closed
    @server.write("0\r\n\r\n")
    assert_equal "9\r\ndata: 1\n\n\r\n0\r\n\r\n", received(19)
  end

  def test_a_request_behind_the_first_is_left_to_the_server
    @browser.write("GET /next HTTP/1.1\r\n\r\n")
    @sink.write("data: 1\n\n")
    @sink.close

    assert_equal "GET /next HTTP/1.1\r\n\r\n", @server.readpartial(100)
  end

  def test_the_connection_does_not_outlive_a_browser_that_left
    @browser.shutdown(:WR)
    wait_until { !@sink.connected? }
    @sink.close

    assert @body.closed
    assert_raises(Errno::EPIPE) { @server.write("0\r\n\r\n") }
  end

  def test_a_request_is_relayed
    source = upstream { |exchange| exchange.openai(tokens: 3) }
    options = Streamer::Relay::Options.new(value: "choices.0.delta.content", event: "token")
    @sink.relay(Streamer::Client.new(source.url).request(:post, "/chat", json: {}), options)
    @sink.close
    assert_equal 3, received.scan("event: token").size
  end

  def test_whoever_gives_it_away_has_it_back_when_the_stream_is_over
    given = nil
    ended = beside do
      @sink.detach { |browser| given = browser }
      @body.closed
    end
    wait_until { given }
    given.write("data: 1\n\n")
    refute @body.closed
    given.finish

    assert ended.value
    assert_equal "9\r\ndata: 1\n\n\r\n", received(14)
  end

  private

  def received(size = 4096)
    text = +""
    text << @browser.readpartial(size - text.bytesize) while text.bytesize < size && @browser.wait_readable(0.1)
    text
  end
end

class BorrowedSocketOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include BorrowedSocketTests
end

class BorrowedSocketInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include BorrowedSocketTests
end
