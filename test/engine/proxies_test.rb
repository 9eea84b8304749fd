# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "support/peer"
require "support/proxy"

# A real https server behind real proxies, over both protocols.
module EngineProxyTests
  SECRET = "s3cr3t"

  # Each lives as long as the test process.
  class << self
    def squid = @squid ||= keep { Proxy.squid(user: "me", password: SECRET) }
    def tinyproxy = @tinyproxy ||= keep { Proxy.http(user: "me", password: SECRET) }
    def microsocks = @microsocks ||= keep { Proxy.socks(user: "me", password: SECRET) }

    private

    def keep(&start)
      Upstream.without_scheduler(&start).tap { |proxy| Minitest.after_run { proxy.stop } }
    end
  end

  PROXIES = {
    squid: -> { "http://me:#{SECRET}@127.0.0.1:#{EngineProxyTests.squid.port}" },
    squid_over_tls: -> { "https://me:#{SECRET}@localhost:#{EngineProxyTests.squid.tls_port}" },
    tinyproxy: -> { "http://me:#{SECRET}@127.0.0.1:#{EngineProxyTests.tinyproxy.port}" },
    microsocks: -> { "socks5h://me:#{SECRET}@127.0.0.1:#{EngineProxyTests.microsocks.port}" }
  }.freeze

  PROXIES.each do |name, url|
    %w[1.1 2.0].each do |protocol|
      define_method(:"test_https_with_http_#{protocol.tr(".", "_")}_through_#{name}") do
        peer = Peer.shared(:nginx, protocol)
        check(peer.backend, peer.client(proxy: url.call, timeouts: { idle: 10 }), protocol)
        assert_raises(Streamer::ConnectError) { peer.client(proxy: url.call.sub(SECRET, "wrong")).get("/") }
      end
    end

    define_method(:"test_plain_http_through_#{name}") do
      backend = upstream { |exchange| exchange.openai(tokens: 3) }
      client = Streamer::Client.new(backend.url, proxy: url.call, tls: { ca_file: Certificates.ca_file }, timeouts: { idle: 10 })
      check(backend, client, "1.1", again: name != :tinyproxy) # which closes after each response
      assert_empty backend.requests.flat_map { |request| request.headers.keys }.grep(/proxy-auth/)
      next if name == :microsocks

      stranger = Streamer::Client.new(backend.url, proxy: url.call.sub(SECRET, "wrong"), tls: { ca_file: Certificates.ca_file })
      assert_includes [401, 407], stranger.get("/").status
    end
  end

  def test_an_https_proxy_that_is_not_trusted_is_told_nothing
    peer = Peer.shared(:nginx, "2.0")
    proxy = PROXIES[:squid_over_tls].call
    assert_raises(Streamer::TLSError) { Streamer.get(peer.url("/"), proxy: proxy) }
    error = assert_raises(Streamer::TLSError) { peer.client(proxy: proxy.sub("localhost", "127.0.0.1")).get("/") }
    refute_includes error.full_message, SECRET
  end

  # The proxy's own connections are not ours to count: it is asked for one tunnel.
  def test_streams_of_http_2_share_a_tunnel
    peer = Peer.shared(:nginx, "2.0")
    client = peer.client(proxy: PROXIES[:squid].call)
    peer.backend.on("/held") { |exchange| exchange.head.chunk("data: a\n\n").stall }
    client.get("/").read
    before = peer.connections
    held = Array.new(10) { client.get("/held") }
    assert_operator peer.connections, :<=, before
    held.each(&:cancel)
  end

  private

  # One by one, given up at once, uploaded, and the connection used again.
  def check(backend, client, protocol, again: true)
    received = Thread::Queue.new
    backend.on("/lockstep") do |exchange|
      exchange.head
      10.times { |number| exchange.chunk("data: #{number}\n\n") && received.pop }
      exchange.finish
    end
    backend.on("/endless") { |exchange| exchange.openai(tokens: 1_000_000, every: 0.005) }
    backend.on("/upload") { |exchange| exchange.json(exchange.request.body.bytesize) }

    response = client.get("/lockstep")
    assert_equal Array.new(10, &:to_s), response.each_event.map { |event| event.data.tap { received << true } }
    assert_equal protocol, response.timings[:http_version]
    assert_equal again, client.get("/").tap(&:read).timings[:reused]
    assert_equal 300_000, client.post("/upload", body: "x" * 300_000).json if again # it does not say that it closes
    client.get("/endless").each_event.first(2)
    assert backend.requests.last.wait_gone(2), "the upstream never saw the client leave"
  end
end

class EngineProxiesOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include EngineProxyTests
end

class EngineProxiesInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include EngineProxyTests
end
