# frozen_string_literal: true

require "test_helper"
require "pp"
require "streamer/upstream/proxy"

# Which proxy a request goes through: its URL, and the environment's variables as curl reads them. The requests themselves are in
# test/connections/proxies_test.rb.
class ProxyURLTest < Minitest::Test
  Proxy = Streamer::Upstream::Proxy
  URL = Streamer::Upstream::URL

  def test_has_the_parts_of_a_url
    { "http://proxy.example:3128" => ["http://proxy.example:3128", nil, nil],
      "HTTP://Proxy.Example:3128/" => ["http://proxy.example:3128", nil, nil],
      "proxy.example:3128" => ["http://proxy.example:3128", nil, nil],
      "user:secret@proxy.example:3128" => ["http://proxy.example:3128", "user", "secret"],
      "https://proxy.example" => ["https://proxy.example:443", nil, nil],
      "http://proxy.example" => ["http://proxy.example:1080", nil, nil],
      "socks5h://user@proxy.example" => ["socks5h://proxy.example:1080", "user", nil],
      "socks://proxy.example" => ["socks4://proxy.example:1080", nil, nil],
      "SOCKS4A://proxy.example:9" => ["socks4a://proxy.example:9", nil, nil],
      "socks5://us%2Ber:p+s%40s%2F@[0::1]:9050" => ["socks5://[::1]:9050", "us+er", "p+s@s/"],
      "http://user:p@ss@127.1:8080" => ["http://127.0.0.1:8080", "user", "p@ss"],
      "http://:secret@proxy.example:1" => ["http://proxy.example:1", "", "secret"],
      "ftp.example:3128" => ["http://ftp.example:3128", nil, nil] }.each do |text, expected|
      proxy = Proxy.parse(text)
      assert_equal expected, [proxy.to_s, proxy.user, proxy.password], text
    end
  end

  def test_takes_the_default_port_of_whoever_parses_it
    assert_equal 80, Proxy.parse("http://proxy.example", default_port: 80).port
    assert_equal 3128, Proxy.parse("http://proxy.example:3128", default_port: 80).port
    assert_equal 443, Proxy.parse("https://proxy.example", default_port: nil).port
  end

  def test_shows_no_credentials
    proxy = Proxy.parse("http://user:secret@proxy.example:3128")
    refute_match(/secret|user/, proxy.to_s + proxy.inspect + proxy.pretty_inspect)
    assert_equal %w[me p:w], proxy.with_credentials("me", "p:w").then { |other| [other.user, other.password] }
  end

  def test_refuses_what_is_no_proxy_and_repeats_nothing_of_it
    ["", "http://", "ftp://user:secret@host", "http://user:secret@/", "user:secret@a b", "http://host:secret", "http://host/secret",
     "http://host?secret", "http:host",
     "http://host:0", "http://user:sec\nret@host", "http://user:secret%00@host", "unix:///secret", "://host",
     "socks6://host"].each do |text|
      error = assert_raises(ArgumentError, text) { Proxy.parse(text) }
      refute_match(/secret/, error.message)
    end
  end

  def test_reads_the_variable_of_the_scheme_and_then_that_for_all
    all = { "http_proxy" => "a:1", "https_proxy" => "b:1", "HTTPS_PROXY" => "c:1", "all_proxy" => "d:1", "ALL_PROXY" => "e:1" }
    assert_proxy "http://a:1", "http://example.com", all
    assert_proxy "http://d:1", "http://example.com", all.except("http_proxy")
    assert_proxy "http://e:1", "http://example.com", all.except("http_proxy", "all_proxy")
    assert_proxy "http://b:1", "https://example.com", all
    assert_proxy "http://c:1", "https://example.com", all.except("https_proxy")
    assert_proxy "http://d:1", "https://example.com", all.except("https_proxy", "HTTPS_PROXY")
    assert_proxy "http://e:1", "https://example.com", all.slice("ALL_PROXY")
    assert_proxy nil, "http://example.com", all.slice("https_proxy", "HTTPS_PROXY")
    assert_proxy nil, "http://example.com", {}
  end

  # A CGI server makes HTTP_PROXY of a request's Proxy header.
  def test_does_not_believe_http_proxy_in_capitals
    assert_proxy nil, "http://example.com", { "HTTP_PROXY" => "evil:1" }
    assert_proxy nil, "https://example.com", { "HTTP_PROXY" => "evil:1" }
  end

  def test_passes_over_empty_variables
    assert_proxy "http://d:1", "http://example.com", { "http_proxy" => "", "all_proxy" => "d:1" }
    assert_proxy nil, "http://example.com", { "http_proxy" => "a:1", "no_proxy" => "", "NO_PROXY" => "example.com" }
  end

  def test_prefers_no_proxy_in_small_letters
    assert_proxy "http://a:1", "http://example.com", { "http_proxy" => "a:1", "no_proxy" => "other.example", "NO_PROXY" => "*" }
  end

  def test_passes_over_the_path_of_the_environments_proxy
    assert_proxy "http://a:1", "http://example.com", { "http_proxy" => "http://user:secret@a:1/path?query" }
  end

  def test_a_malformed_variable_is_named_and_not_repeated
    error = assert_raises(Streamer::Error) { proxy_for("https://example.com", { "HTTPS_PROXY" => "ftp://user:secret@host" }) }
    assert_match(/HTTPS_PROXY/, error.message)
    refute_match(/secret/, error.full_message)
    assert_proxy nil, "https://example.com", { "HTTPS_PROXY" => "ftp://host", "no_proxy" => "example.com" }
  end

  DIRECT = {
    "example.com" => ["*", "example.com", ".example.com", "example.com.", "EXAMPLE.com", "com", "a,example.com", "a, example.com ,b",
                      "a example.com", "a\texample.com",
                      ",,example.com,,", " example.com "],
    "www.example.com" => %w[example.com .example.com www.example.com com],
    "EXAMPLE.com." => %w[example.com .example.com example.com.],
    "localhost" => %w[localhost 127.0.0.1,localhost],
    "127.0.0.1" => %w[127.0.0.1 127.0.0.0/8 127.0.0.1/32 127.255.0.0/8 localhost,127.0.0.1],
    "127.1" => %w[127.0.0.1 127.0.0.0/8],
    "10.1.2.3" => ["10.0.0.0/8", "10.1.2.0/30", "foo 10.0.0.0/8", "10.1.2.3/0"],
    "[::1]" => %w[::1 [::1] ::1/128 0:0:0:0:0:0:0:1 ::/64 [::]/64],
    "[fd00:1234:0::9]" => %w[fd00:1234::/32 FD00::/8 fd00:1234::9 fd00:1234::8/125],
    "[fe80::1%25eth0]" => %w[fe80::1 fe80::/10],
    "bücher.example" => %w[xn--bcher-kva.example example]
  }.freeze

  PROXIED = {
    "example.com" => ["", ",", ".", "**", "*,a", "*.example.com", "www.example.com", "xample.com", "ample.com", "example.com:80",
                      "http://example.com", "example.co", "..example.com"],
    "nonexample.com" => %w[example.com .example.com],
    "localhost" => %w[127.0.0.1 ::1],
    "127.0.0.1" => %w[localhost 127.0.0.2 127.0.0 0.0.1 128.0.0.0/8 127.0.0.1/33 127.0.0.0/32 0.0.0.0/0 127.0.0.1:80 127.0.0.0/8x
                      ::ffff:127.0.0.1],
    "10.1.2.3" => %w[10.1.2.0/31 10.1 10. 2.3],
    "[::1]" => %w[::2 ::1/129 ::2/127 ::/0 1 [::1]:80 127.0.0.1],
    "[fe80::1%25eth0]" => %w[fe80::2 fd00::/8]
  }.freeze

  def test_no_proxy_lists_names_addresses_and_networks
    DIRECT.each do |host, lists|
      lists.each do |list|
        assert_nil proxy_for("http://#{host}/", { "http_proxy" => "a:1", "no_proxy" => list }),
                   "#{host} #{list.inspect}"
      end
    end
    PROXIED.each do |host, lists|
      lists.each do |list|
        refute_nil proxy_for("http://#{host}/", { "http_proxy" => "a:1", "no_proxy" => list }),
                   "#{host} #{list.inspect}"
      end
    end
  end

  def test_reads_variables_that_are_not_utf_8
    assert_nil proxy_for("http://example.com/", { "http_proxy" => "a:1", "no_proxy" => "\xFF,example.com" })
    assert_raises(Streamer::Error) { proxy_for("http://example.com/", { "http_proxy" => "\xFF:1" }) }
  end

  private

  def proxy_for(url, environment) = Proxy.from_environment(URL.parse(url), environment)

  def assert_proxy(expected, url, environment)
    expected.nil? ? assert_nil(proxy_for(url, environment)) : assert_equal(expected, proxy_for(url, environment).to_s)
  end
end
