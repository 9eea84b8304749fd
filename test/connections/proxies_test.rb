# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "support/proxy"

# Requests through real proxies, and none where none is wanted. Each proxy lives as long as the test process.
module ProxyTests
  VARIABLES = %w[http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY].freeze
  SECRET = "s3cr3t:+/%"
  ESCAPED = "s3cr3t%3A+%2F%25"

  class << self
    def http = @http ||= keep { Proxy.http }
    def http_with_password = @http_with_password ||= keep { Proxy.http(user: "me", password: "s3cr3t") }
    def socks = @socks ||= keep { Proxy.socks }
    def socks_with_password = @socks_with_password ||= keep { Proxy.socks(user: "me", password: SECRET) }

    # A TLS front before a proxy: an https proxy.
    def secured(proxy) = @secured ||= Front.new(proxy.port)

    private

    def keep(&start)
      Upstream.without_scheduler(&start).tap { |proxy| Minitest.after_run { proxy.stop } }
    end
  end

  # Takes TLS connections, and passes their bytes on to a port.
  class Front
    attr_reader :port

    def initialize(target)
      context = OpenSSL::SSL::SSLContext.new
      context.cert = Certificates.server_certificate
      context.key = Certificates.server_key
      server = TCPServer.new("127.0.0.1", 0)
      @port = server.local_address.ip_port
      Thread.new { loop { serve(OpenSSL::SSL::SSLSocket.new(server.accept, context), target) } }
    end

    private

    def serve(socket, target)
      Thread.new do
        socket.sync_close = true
        socket.accept
        behind = TCPSocket.new("127.0.0.1", target)
        Thread.new { pass(behind, socket) }
        pass(socket, behind)
      rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
        nil
      end
    end

    def pass(from, to)
      loop { to.write(from.readpartial(16_384)) }
    rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
      [from, to].each(&:close)
    end
  end

  def setup
    @saved = ENV.to_h.slice(*VARIABLES)
    VARIABLES.each { |name| ENV.delete(name) }
    @upstream = upstream(&:echo)
    @upstream.on("/stream") { |exchange| exchange.openai(tokens: 3) }
    @upstream.on("/stalled") { |exchange| exchange.head.chunk("data: a\n\n").stall }
  end

  def teardown
    VARIABLES.each { |name| ENV[name] = @saved[name] }
    super
  end

  def test_an_http_proxy
    http = "http://127.0.0.1:#{ProxyTests.http.port}"
    assert_match(/tinyproxy/, get(proxy: http)["headers"]["via"])
    assert_match(/tinyproxy/, get(proxy: http.delete_prefix("http://"))["headers"]["via"])
    assert_equal 4, Streamer.get(@upstream.url("/stream"), proxy: http).each_event.count
  end

  def test_https_goes_through_a_tunnel
    secure = upstream(tls: true, &:echo)
    secure.on("/stalled") { |exchange| exchange.head.chunk("data: a\n\n").stall }
    client = Streamer::Client.new(secure.url, proxy: "http://127.0.0.1:#{ProxyTests.http.port}", tls: { ca_file: Certificates.ca_file },
                                              headers: { "Authorization" => "Bearer x" })
    answer = client.get("/").json
    assert_equal "Bearer x", answer["headers"]["authorization"]
    assert_nil answer["headers"]["via"]
    assert_includes ProxyTests.http.log, "CONNECT #{secure.url.delete_prefix("https://")}"
    client.get("/stalled").each_event { break }
    assert secure.requests.last.wait_gone, "the upstream never saw the client leave"
  end

  def test_a_proxy_that_speaks_tls
    front = ProxyTests.secured(ProxyTests.http)
    answer = get(proxy: "https://localhost:#{front.port}", tls: { ca_file: Certificates.ca_file })
    assert_match(/tinyproxy/, answer["headers"]["via"])
    assert_raises(Streamer::TLSError) { get(proxy: "https://localhost:#{front.port}") }
  end

  def test_credentials_go_to_the_proxy_and_no_further
    proxy = "http://me:s3cr3t@127.0.0.1:#{ProxyTests.http_with_password.port}"
    answer = get(proxy: proxy)
    assert_match(/tinyproxy/, answer["headers"]["via"])
    assert_empty answer["headers"].keys.grep(/proxy-auth/)
    secure = upstream(tls: true, &:echo)
    answer = Streamer.get(secure.url, proxy: proxy, tls: { ca_file: Certificates.ca_file }).json
    assert_empty answer["headers"].keys.grep(/auth/)
  end

  def test_without_credentials_the_proxy_refuses
    proxy = "http://127.0.0.1:#{ProxyTests.http_with_password.port}"
    assert_equal 407, Streamer.get(@upstream.url, proxy: proxy).status
    error = assert_raises(Streamer::ConnectError) { Streamer.get(upstream(tls: true, &:echo).url, proxy: proxy) }
    assert_match(/407/, error.message)
    assert_empty @upstream.requests
  end

  def test_socks
    %w[socks5 socks5h].each do |scheme|
      assert_nil get(proxy: "#{scheme}://127.0.0.1:#{ProxyTests.socks.port}")["headers"]["via"]
    end
    name = "http://localhost:#{URI(@upstream.url).port}/stream"
    assert_equal 4, Streamer.get(name, proxy: "socks5h://127.0.0.1:#{ProxyTests.socks.port}").each_event.count
    secure = upstream(tls: true, &:echo)
    assert_equal 200, Streamer.get(secure.url, proxy: "socks5h://127.0.0.1:#{ProxyTests.socks.port}",
                                               tls: { ca_file: Certificates.ca_file }).status
  end

  def test_socks_with_credentials
    port = ProxyTests.socks_with_password.port
    assert_equal "GET", get(proxy: "socks5://me:#{ESCAPED}@127.0.0.1:#{port}")["method"]
    ["socks5://me:wrong@127.0.0.1:#{port}", "socks5://127.0.0.1:#{port}"].each do |url|
      assert_raises(Streamer::ConnectError) { get(proxy: url) }
    end
  end

  def test_a_proxy_that_is_not_there
    error = assert_raises(Streamer::ConnectError) { get(proxy: Upstream.refused_url.sub("//", "//me:s3cr3t@")) }
    refute_includes error.full_message, "s3cr3t"
    error = assert_raises(Streamer::ResolveError) { get(proxy: "http://me:s3cr3t@#{"a" * 64}.invalid:3128") }
    refute_includes error.full_message, "s3cr3t"
    assert_empty @upstream.requests
  end

  def test_the_connect_timeout_covers_the_proxys_handshake
    silent = TCPServer.new("127.0.0.1", 0)
    %w[http socks5].each do |scheme|
      assert_raises(Streamer::ConnectTimeoutError) do
        Streamer.get("https://localhost:1/", proxy: "#{scheme}://127.0.0.1:#{silent.addr[1]}", timeouts: { connect: 0.2 })
      end
    end
  ensure
    silent.close
  end

  def test_the_environments_proxies
    ENV["http_proxy"] = "http://127.0.0.1:#{ProxyTests.http.port}"
    assert_match(/tinyproxy/, get["headers"]["via"])
    assert_nil get(proxy: false)["headers"]["via"]
    ENV["no_proxy"] = "example.com,127.0.0.1"
    assert_nil get["headers"]["via"]
    ENV["no_proxy"] = "*"
    assert_nil get["headers"]["via"]
  end

  def test_the_environments_other_names
    ENV["ALL_PROXY"] = "127.0.0.1:#{ProxyTests.http.port}"
    assert_match(/tinyproxy/, get["headers"]["via"])
    ENV["NO_PROXY"] = "127.0.0.0/8"
    assert_nil get["headers"]["via"]
    ENV.delete("NO_PROXY")
    ENV["http_proxy"] = ""
    assert_match(/tinyproxy/, get["headers"]["via"])
  end

  # CGI makes it of a request's Proxy header.
  def test_http_proxy_in_capitals_is_not_believed
    ENV["HTTP_PROXY"] = Upstream.refused_url
    assert_nil get["headers"]["via"]
  end

  def test_a_proxy_of_ones_own_is_used_whatever_the_environment_says
    ENV["http_proxy"] = Upstream.refused_url
    ENV["no_proxy"] = "*"
    assert_match(/tinyproxy/, get(proxy: "http://127.0.0.1:#{ProxyTests.http.port}")["headers"]["via"])
  end

  def test_redirects_go_through_the_proxy_too
    other = upstream(&:echo)
    @upstream.on("/moved") { |exchange| exchange.redirect(other.url("/")) }
    answer = Streamer.get(@upstream.url("/moved"), proxy: "http://me:s3cr3t@127.0.0.1:#{ProxyTests.http_with_password.port}").json
    assert_match(/tinyproxy/, answer["headers"]["via"])
    assert_empty answer["headers"].keys.grep(/auth/)
  end

  def test_what_is_no_proxy_is_refused_without_repeating_it
    ["ftp://me:s3cr3t@host", "http://", "http://me:s3cr3t@/", "http://host/path", "me:s3cr3t@a b"].each do |url|
      error = assert_raises(ArgumentError, url) { Streamer::Client.new(@upstream.url, proxy: url) }
      refute_includes error.message, "s3cr3t"
    end
  end

  def test_credentials_are_in_no_inspection
    request = Streamer::Client.new(@upstream.url, proxy: "http://me:s3cr3t@127.0.0.1:1", tls: { key_password: "s3cr3t" }).request(:get, "/")
    refute_includes request.inspect, "s3cr3t"
    refute_includes Streamer::Client.new(@upstream.url, proxy: "http://me:s3cr3t@127.0.0.1:1").inspect, "s3cr3t"
  end

  private

  def get(**options) = Streamer.get(@upstream.url, **options).json
end

class ProxiesOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include ProxyTests
end

class ProxiesInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include ProxyTests
end

class ProxiesInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include ProxyTests
end
