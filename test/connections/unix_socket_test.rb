# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "tmpdir"

# unix: a socket in the file system in place of a host.
module UnixSocketTests
  def setup
    @upstream = upstream(&:echo)
    @upstream.on("/stream") { |exchange| exchange.openai(tokens: 3) }
    @directory = Dir.mktmpdir("streamer-unix")
    @path = File.join(@directory, "socket")
    @server = UNIXServer.new(@path)
    @accepted = 0
    @acceptor = Thread.new { loop { bridge(@server.accept) } }
  end

  def teardown
    Upstream.without_scheduler do
      @acceptor.kill.join
      @server.close
      FileUtils.remove_entry(@directory)
    end
    super
  end

  def test_the_request_goes_through_the_socket
    answer = Streamer.get("http://service.invalid/a?b=1", unix: @path).json
    assert_equal ["/a?b=1", "service.invalid"], [answer["target"], answer["headers"]["host"]]
    assert_equal 4, Streamer.get("http://service.invalid/stream", unix: @path).each_event.count
  end

  def test_its_connection_is_kept_and_is_nobody_elses
    client = Streamer::Client.new(@upstream.url, unix: @path)
    2.times { client.get("/").read }
    assert_equal 1, @accepted
    assert_equal 200, Streamer.get(@upstream.url).status
    assert_equal 2, @upstream.connections
  end

  def test_a_redirect_to_another_origin_leaves_the_socket
    other = upstream(&:echo)
    @upstream.on("/moved") { |exchange| exchange.redirect(other.url("/end")) }
    assert_equal "/end", Streamer.get("http://service.invalid/moved", unix: @path).json["target"]
    assert_equal ["/end"], other.requests.map(&:path)
  end

  def test_a_redirect_to_the_same_origin_stays
    @upstream.on("/moved") { |exchange| exchange.redirect("/end") }
    assert_equal "service.invalid", Streamer.get("http://service.invalid/moved", unix: @path).json["headers"]["host"]
  end

  def test_no_proxy_comes_between
    ENV["http_proxy"] = Upstream.refused_url
    assert_equal 200, Streamer.get("http://service.invalid/", unix: @path).status
  ensure
    ENV.delete("http_proxy")
  end

  def test_a_socket_that_is_not_there
    assert_raises(Streamer::ConnectError) { Streamer.get("http://service.invalid/", unix: "#{@path}.not") }
  end

  private

  # To the upstream's port and back.
  def bridge(socket)
    @accepted += 1
    behind = TCPSocket.new("127.0.0.1", URI(@upstream.url).port)
    [[socket, behind], [behind, socket]].each do |from, to|
      Thread.new do
        loop { to.write(from.readpartial(16_384)) }
      rescue SystemCallError, IOError
        [from, to].each(&:close)
      end
    end
  end
end

class UnixSocketOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include UnixSocketTests
end

class UnixSocketInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include UnixSocketTests
end

class UnixSocketInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include UnixSocketTests
end
