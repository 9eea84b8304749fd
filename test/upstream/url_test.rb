# frozen_string_literal: true

require "test_helper"
require "pp"
require "uri"
require "streamer/upstream/url"

# URLs: parsed, joined, resolved and compared.
class URLTest < Minitest::Test
  URL = Streamer::Upstream::URL
  InvalidURLError = Streamer::Upstream::InvalidURLError

  # --- parsing ---

  def test_has_the_parts_of_a_url
    url = URL.parse("https://user:password@example.com:8443/v1/models?limit=2#top")
    assert_equal ["https", "example.com", 8443, "/v1/models", "limit=2", "user:password"],
                 [url.scheme, url.host, url.port, url.path, url.query, url.credentials]
    assert_equal "/v1/models?limit=2", url.target
    assert_equal "https://example.com:8443/v1/models?limit=2", url.href
  end

  def test_writes_a_url_in_one_spelling
    { "HTTP://EXAMPLE.com" => "http://example.com/",
      "http://example.com:80/" => "http://example.com/",
      "https://example.com:443?a" => "https://example.com/?a",
      "https://example.com:080" => "https://example.com:80/",
      "http://example.com:/a" => "http://example.com/a",
      "http://example.com#fragment" => "http://example.com/",
      "http://example.com?" => "http://example.com/?",
      "http://example.com./" => "http://example.com./",
      "http://ex%61mple%2Ecom/" => "http://example.com/",
      "  http://example.com/a b  " => "http://example.com/a%20b",
      "http://my_service:3000/" => "http://my_service:3000/" }.each do |given, href|
      assert_equal href, URL.parse(given).href, given
    end
  end

  def test_percent_encodes_what_a_url_cannot_hold_and_nothing_else
    { "/a b" => "/a%20b", "/straße/日本" => "/stra%C3%9Fe/%E6%97%A5%E6%9C%AC", "/100%" => "/100%", "/%zz%2" => "/%zz%2",
      "/%2f%2F" => "/%2f%2F",
      "/a+b" => "/a+b", "/\"<>^`{}" => "/%22%3C%3E%5E%60%7B%7D", "/a|b[c]'~" => "/a|b[c]'~", "/a\\b" => "/a/b",
      "/?q=a b+c" => "/?q=a%20b+c", "/?q=ü" => "/?q=%C3%BC", "/?q=50%&r=%zz" => "/?q=50%&r=%zz", "/?q=\"<>'" => "/?q=%22%3C%3E%27",
      "/?q={^`}|\\/?" => "/?q={^`}|\\/?" }.each do |given, target|
      assert_equal target, URL.parse("http://example.com#{given}").target, given
    end
  end

  def test_takes_text_of_any_encoding
    assert_equal "/%FF%C3%BC", URL.parse("http://example.com/\xFF\u00FC").target
    assert_equal "/%FF", URL.parse("http://example.com/\xFF".b).target
    assert_equal "/%C3%BC", URL.parse("http://example.com/ü".encode(Encoding::ISO_8859_1)).target
    assert_equal "/%C3%BC", URL.parse("http://example.com/ü".encode(Encoding::UTF_16LE)).target
    href = URL.parse("http://example.com/\xFF?ü".b).href
    assert_equal [Encoding::UTF_8, true], [href.encoding, href.ascii_only?]
  end

  def test_removes_dot_segments
    { "/a/./b/../c" => "/a/c", "/../.." => "/", "/a/.." => "/", "/a/b/." => "/a/b/", "/a/%2e%2E/b" => "/b", "/a/.%2e/%2e" => "/",
      "/a//../b" => "/a/b", "//a" => "//a", "/a/..b/c../.../d" => "/a/..b/c../.../d", "/a?b/../c" => "/a?b/../c" }.each do |given, target|
      assert_equal target, URL.parse("http://example.com#{given}").target, given
    end
  end

  def test_decodes_credentials_and_keeps_a_plus
    { "user:p+ss" => "user:p+ss", "us%2Ber:p%40ss%3A%2F" => "us+er:p@ss:/", "user:p@ss" => "user:p@ss", "user" => "user:",
      ":secret" => ":secret",
      "user:a:b" => "user:a:b", "user:50%" => "user:50%", "user:%C3%BC" => "user:ü", "user:ü" => "user:ü", "" => nil,
      ":" => nil }.each do |given, credentials|
      url = URL.parse("http://#{given}@example.com/")
      credentials.nil? ? assert_nil(url.credentials, given) : assert_equal(credentials, url.credentials, given)
      assert_equal "http://example.com/", url.href, given
    end
    assert_nil URL.parse("http://user:secret@example.com/").without_credentials.credentials
  end

  def test_shows_logs_neither_query_nor_credentials_nor_fragment
    url = URL.parse("https://user:secret@example.com:8443/v1?key=secret#secret")
    assert_equal "https://example.com:8443/v1", url.to_s
    refute_match(/secret/, url.inspect + url.pretty_inspect)
  end

  def test_spells_ipv4_addresses_in_one_way
    %w[127.0.0.1 127.1 127.0.1 2130706433 0x7f.1 0X7F000001 0177.0.0.1 127.0.0.1. %31%32%37.0.0.1 １２７.0.0.1].each do |host|
      assert_equal "127.0.0.1", URL.parse("http://#{host}/").host, host
    end
    assert_equal "0.0.0.0", URL.parse("http://0x/").host
    %w[256.0.0.1 1.2.3.4.5 1.2.3.256 0x100000000 4294967296 1.2.3.08 1..2 example.1 1_0.2].each do |host|
      assert_raises(InvalidURLError, host) { URL.parse("http://#{host}/") }
    end
    assert_equal "1.example", URL.parse("http://1.example/").host
  end

  def test_spells_ipv6_addresses_in_one_way
    { "[::1]" => "[::1]", "[0:0:0:0:0:0:0:1]" => "[::1]", "[::]" => "[::]", "[2001:DB8:0:0:1:0:0:1]" => "[2001:db8::1:0:0:1]",
      "[1:0:0:2:0:0:0:3]" => "[1:0:0:2::3]", "[1::]" => "[1::]", "[1:2:3:4:5:6:7:8]" => "[1:2:3:4:5:6:7:8]",
      "[1:0:3:4:5:6:7:8]" => "[1:0:3:4:5:6:7:8]",
      "[10:0:0:100::1]" => "[10:0:0:100::1]", "[::ffff:127.0.0.1]" => "[::ffff:7f00:1]",
      "[fe80::1%25eth0]" => "[fe80::1%25eth0]", "[fe80::1%eth0]" => "[fe80::1%25eth0]" }.each do |given, host|
      assert_equal host, URL.parse("http://#{given}:3000/").host, given
    end
    ["[", "[]", "[::1", "::1", "[1.2.3.4]", "[::1/64]", "[1:2:3]", "[::1::]", "[12345::]", "[::1%]", "[::1%25a/b]", "[::1]x"].each do |host|
      assert_raises(InvalidURLError, host) { URL.parse("http://#{host}/") }
    end
  end

  def test_writes_international_host_names_in_ascii
    { "bücher.example" => "xn--bcher-kva.example", "BÜCHER.example" => "xn--bcher-kva.example",
      "bu\u0308cher.example" => "xn--bcher-kva.example", "b%C3%BCcher.example" => "xn--bcher-kva.example",
      "日本語.jp" => "xn--wgv71a119e.jp", "例え。テスト" => "xn--r8jz45g.xn--zckzah",
      "faß.de" => "xn--fa-hia.de", "ΒΌΛΟΣ.gr" => "xn--nxasmq6b.gr", "ｅｘａｍｐｌｅ.com" => "example.com", "💩.la" => "xn--ls8h.la",
      "правда.рф" => "xn--80aafi6cg.xn--p1ai", "Pročprostěnemluvíčesky" => "xn--proprostnemluvesky-uyb24dma41a" }.each do |given, host|
      assert_equal host, URL.parse("http://#{given}/").host, given
    end
    assert_equal "xn--bcher-kva.example", URL.parse("http://bücher.example/".b).host
  end

  def test_refuses_what_is_no_url_and_repeats_nothing_of_it
    ["", "example.com", "/path", "//example.com", "localhost:3000", "ftp://secret@h/", "file:///secret", "http:", "http:/example.com",
     "http://",
     "http:///path", "http://?secret", "http://:80/", "http://user:secret@/", "http://exa mple.com/", "http://a<b/", "http://a%00b/",
     "http://a%2Fb/", "http://a%/",
     "http://a,b/", "http://a..b/", "http://./", "http://.a/", "http://so\u00ADft.example/", "http://%FF/", "http://h:secret/",
     "http://h:-1/", "http://h:65536/",
     "http://h:0/", "http://h:80:80/", "http://us%0Aer:secret@h/", "javascript:secret", nil].each do |text|
      error = assert_raises(InvalidURLError, text.inspect) { URL.parse(text) }
      assert_kind_of ArgumentError, error
      refute_match(/secret/, error.message)
    end
  end

  def test_refuses_control_characters_of_applications
    ["http://exam\nple.com/", "http://example.com/a\tb", "http://example.com/\r\nX: 1", "http://example.com/\0", "\nhttp://example.com/",
     "http://example.com/\n",
     "http://example.com/?a\x7F"].each do |text|
      assert_match(/line breaks/, assert_raises(InvalidURLError, text.inspect) { URL.parse(text) }.message)
    end
    assert_raises(InvalidURLError) { URL.parse("http://example.com/").join("/a\r\nb") }
  end

  def test_takes_what_any_parser_of_rubys_uri_has_parsed
    [URI::RFC2396_Parser.new, URI::RFC3986_Parser.new].each do |parser|
      uri = parser.parse("http://User:p+ss%40@Example.com:8080/a%20b?c=d#e")
      url = URL.parse(uri)
      assert_equal ["http://example.com:8080/a%20b?c=d", "User:p+ss@"], [url.href, url.credentials]
    end
  end

  # --- joining ---

  def test_joins_a_path_behind_that_of_the_base
    { "" => "/v1", "/" => "/v1/", "/models" => "/v1/models", "models" => "/v1/models", "/models/" => "/v1/models/", "?a=1" => "/v1?a=1",
      "/models?a=1" => "/v1/models?a=1", "/a//b" => "/v1/a//b", "a b/ü%" => "/v1/a%20b/%C3%BC%", "\\models" => "/v1/models",
      "/models#top" => "/v1/models",
      "#top" => "/v1", "/a:b" => "/v1/a:b", "models/a:generate?alt=sse" => "/v1/models/a:generate?alt=sse", "./a/../b" => "/v1/b",
      "/@evil.example" => "/v1/@evil.example", "@evil.example" => "/v1/@evil.example",
      ".evil.example" => "/v1/.evil.example" }.each do |path, target|
      %w[/v1 /v1?].each { |base| assert_equal "http://h#{target}", URL.parse("http://h#{base}").join(path).href.sub(/\?\z/, ""), path }
      assert_equal "http://h#{target}", URL.parse("http://h/v1/").join(path).href, path unless path.sub(/[?#].*/, "").empty?
    end
  end

  def test_joins_a_path_to_a_base_without_one
    ["http://h", "http://h/", "http://h//"].each do |base|
      { "/a" => "/a", "a" => "/a", "/" => "/" }.each { |path, target| assert_equal "http://h#{target}", URL.parse(base).join(path).href }
    end
    assert_equal "http://h/?a=1", URL.parse("http://h").join("?a=1").href
    assert_equal "http://h/", URL.parse("http://h").join("").href
  end

  def test_puts_the_bases_query_before_the_paths
    base = URL.parse("https://me.openai.azure.com/openai/deployments/gpt-4o/?api-version=2024-10-21")
    here = "https://me.openai.azure.com/openai/deployments/gpt-4o"
    { "/chat/completions" => "#{here}/chat/completions?api-version=2024-10-21",
      "/chat/completions?a=1" => "#{here}/chat/completions?api-version=2024-10-21&a=1",
      "/chat/completions?" => "#{here}/chat/completions?api-version=2024-10-21",
      "?a=1" => "#{here}/?api-version=2024-10-21&a=1",
      "" => "#{here}/?api-version=2024-10-21" }.each { |path, href| assert_equal href, base.join(path).href, path }
  end

  def test_keeps_the_bases_credentials
    assert_equal "user:p+ss", URL.parse("http://user:p+ss@h/v1").join("/a").credentials
  end

  def test_joins_no_url
    base = URL.parse("https://example.com/v1")
    ["http://evil.example", "HTTPS://evil.example/", "https:/evil", "javascript:1", "mailto:a@b", "//evil.example/", "/\\evil.example",
     "\\\\evil.example",
     "\\/evil.example", "  //evil.example", "  https://evil.example"].each do |path|
      assert_match(/expected a path/, assert_raises(InvalidURLError, path) { base.join(path) }.message)
    end
  end

  # --- resolving ---

  # All of RFC 3986, section 5.4. Here a fragment is dropped, an empty path is "/", and what is not http is refused.
  def test_resolves_all_examples_of_rfc_3986
    { "g:h" => :refused, "g" => "http://a/b/c/g", "./g" => "http://a/b/c/g", "g/" => "http://a/b/c/g/", "/g" => "http://a/g",
      "//g" => "http://g/",
      "?y" => "http://a/b/c/d;p?y", "g?y" => "http://a/b/c/g?y", "#s" => "http://a/b/c/d;p?q", "g#s" => "http://a/b/c/g",
      "g?y#s" => "http://a/b/c/g?y",
      ";x" => "http://a/b/c/;x", "g;x" => "http://a/b/c/g;x", "g;x?y#s" => "http://a/b/c/g;x?y", "" => "http://a/b/c/d;p?q",
      "." => "http://a/b/c/",
      "./" => "http://a/b/c/", ".." => "http://a/b/", "../" => "http://a/b/", "../g" => "http://a/b/g", "../.." => "http://a/",
      "../../" => "http://a/",
      "../../g" => "http://a/g", "../../../g" => "http://a/g", "../../../../g" => "http://a/g", "/./g" => "http://a/g",
      "/../g" => "http://a/g",
      "g." => "http://a/b/c/g.", ".g" => "http://a/b/c/.g", "g.." => "http://a/b/c/g..", "..g" => "http://a/b/c/..g",
      "./../g" => "http://a/b/g",
      "./g/." => "http://a/b/c/g/", "g/./h" => "http://a/b/c/g/h", "g/../h" => "http://a/b/c/h", "g;x=1/./y" => "http://a/b/c/g;x=1/y",
      "g;x=1/../y" => "http://a/b/c/y", "g?y/./x" => "http://a/b/c/g?y/./x", "g?y/../x" => "http://a/b/c/g?y/../x",
      "g#s/./x" => "http://a/b/c/g",
      "g#s/../x" => "http://a/b/c/g", "http:g" => "http://a/b/c/g" }.each do |location, href|
      assert_resolves href, location,
                      "http://a/b/c/d;p?q"
    end
  end

  def test_resolves_what_browsers_accept_of_a_location
    { "/a b" => "/a%20b", "/ü" => "/%C3%BC", "/\xFC".b => "/%FC", "/100%" => "/100%", "/%zz" => "/%zz", "/a\\..\\b" => "/b",
      "?q=a b" => "/x/y?q=a%20b",
      "  /a  " => "/a", "\t/a\n" => "/a", "/a\tb\r\nc" => "/abc", "/a\x01b" => "/a%01b", "/<\"'>" => "/%3C%22'%3E", "/[1]|2" => "/[1]|2",
      "a:b" => :refused, "./a:b" => "/x/a:b", "https:/a" => "/a", "https:a" => "/x/a", "https:?a" => "/x/y?a",
      "HTTPS:" => "/x/y" }.each do |location, target|
      assert_resolves target.is_a?(Symbol) ? target : "https://example.com:8443#{target}", location, "https://example.com:8443/x/y"
    end
    { "https:\\\\b/c" => "https://b/c", "https:////b/c" => "https://b/c", "\\\\b\\c" => "https://b/c", "/\\b" => "https://b/",
      "http:/b/c" => "http://b/c",
      "http:b/c" => "http://b/c", "HTTP://B:80" => "http://b/", "https://日本語.jp/é" => "https://xn--wgv71a119e.jp/%C3%A9",
      "//b:8443?c d" => "https://b:8443/?c%20d",
      "ht\ntps://b\t.example/" => "https://b.example/", "https://exa%6Dple.com" => "https://example.com/" }.each do |location, href|
      assert_resolves href, location, "https://example.com:8443/x/y"
    end
  end

  def test_resolves_nothing_to_what_is_not_http_or_has_no_host
    ["ftp://h/", "javascript:1", "data:,a", "file:///etc/passwd", "about:blank", "http://", "http:", "//", "http://[", "http://[::1",
     "http://h:port/", "http://h:0/",
     "http://a b/", "http://./", "http://user:secret@/", "http://a..b/", "ws://h/"].each do |location|
      assert_resolves :refused, location, "https://example.com/x/y"
    end
  end

  def test_has_the_credentials_of_the_location_and_those_of_its_own_authority_only
    base = URL.parse("https://user:secret@example.com/a")
    assert_equal "user:secret", base.resolve("/b").credentials
    assert_nil base.resolve("//example.com/b").credentials
    assert_nil base.resolve("https://other.example/").credentials
    assert_equal "me:p+w@", base.resolve("https://me:p+w%40@other.example/").credentials
  end

  # A response's head may have 128 KiB of it.
  def test_a_long_location_costs_no_more_than_its_length
    base = URL.parse("https://example.com/x/y")
    [" ", "/", "\\", "../", "%2e/", "@", ":", "%", "\t", "?"].each do |piece|
      location = "/a#{piece * 100_000}b"
      assert_operator cpu_time { base.resolve(location).href }, :<, 1, piece
    end
    ["日", "%E6%97%A5", "a.", "1.", "0x", "@", ":", "[", "[:"].each do |piece|
      assert_operator cpu_time { assert_resolves :refused, "//#{piece * 30_000}!/", base.href }, :<, 1, piece
    end
  end

  # --- comparing ---

  def test_compares_origins_by_scheme_host_and_port
    same = ["https://example.com", "HTTPS://EXAMPLE.COM:443/a?b", "https://user:secret@example.com./", "https://ex%61mple.com:0443"]
    same.permutation(2) { |one, other| assert URL.parse(one).same_origin?(URL.parse(other)), "#{one} #{other}" }
    ["http://example.com", "https://example.com:8443", "https://www.example.com", "https://example.co",
     "http://example.com:443"].each do |other|
      refute URL.parse(same.first).same_origin?(URL.parse(other)), other
    end
    assert_same_origin "http://[::1]:80/", "http://[0:0:0:0:0:0:0:1]/"
    assert_same_origin "http://127.0.0.1/", "http://127.1/"
    assert_same_origin "http://bücher.example/", "http://xn--bcher-kva.example/"
    refute URL.parse("http://[fe80::1%25eth0]/").same_origin?(URL.parse("http://[fe80::1%25eth1]/"))
  end

  def test_writes_an_origin_in_one_spelling
    assert_equal "https://example.com", URL.parse("HTTPS://user:secret@Example.COM.:443/a?b").origin
    assert_equal "http://[::1]:3000", URL.parse("http://[0::1]:3000").origin
  end

  private

  def cpu_time
    before = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
    yield
    Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - before
  end

  def assert_resolves(expected, location, base)
    return assert_equal expected, URL.parse(base).resolve(location).href, location.inspect unless expected == :refused

    error = assert_raises(InvalidURLError, location.inspect) { URL.parse(base).resolve(location) }
    refute_match(/secret/, error.message)
  end

  def assert_same_origin(one, other) = assert(URL.parse(one).same_origin?(URL.parse(other)), "#{one} #{other}")
end
