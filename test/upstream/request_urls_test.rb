# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# What becomes of the URLs that applications and upstreams give: targets, credentials, redirects, and what is kept for each origin.
# The rules themselves are in url_test.rb.
module RequestURLTests
  VARIABLES = %w[http_proxy all_proxy ALL_PROXY no_proxy NO_PROXY].freeze

  def setup
    @upstream = upstream(&:echo)
    @host, @port = @upstream.url.delete_prefix("http://").split(":")
  end

  def test_a_request_has_what_its_url_says_percent_encoded
    { "/a b/ü" => "/a%20b/%C3%BC", "/100%?q=a+b c" => "/100%?q=a+b%20c", "?a#b" => "/?a", "" => "/" }.each do |given, target|
      response = Streamer.get("#{@upstream.url}#{given}")
      assert_equal target, response.json["target"], given
      assert_equal @upstream.url(target), response.url
    end
  end

  def test_a_base_url_keeps_its_path_and_its_query
    client = Streamer::Client.new("#{@upstream.url}/openai/deployments/gpt-4o/?api-version=2024-10-21")
    { "/chat/completions" => "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
      "chat?user=a b" => "/openai/deployments/gpt-4o/chat?api-version=2024-10-21&user=a%20b",
      "?user=me" => "/openai/deployments/gpt-4o/?api-version=2024-10-21&user=me",
      "" => "/openai/deployments/gpt-4o/?api-version=2024-10-21" }.each do |path, target|
      assert_equal target, client.get(path).json["target"], path
    end
    assert_equal "#<Streamer::Client #{@upstream.url}/openai/deployments/gpt-4o/>", client.inspect
  end

  def test_a_client_requests_no_other_origin
    client = Streamer::Client.new(@upstream.url, headers: { "authorization" => "Bearer secret" })
    ["http://127.0.0.1:1/", "//127.0.0.1:1/", "/\\127.0.0.1:1/", "\\\\127.0.0.1:1", " //127.0.0.1:1/", "/\t/127.0.0.1:1"].each do |path|
      assert_raises(ArgumentError, path) { client.get(path) }
    end
    assert_equal "/@127.0.0.1:1/", client.get("@127.0.0.1:1/").json["target"]
  end

  def test_a_plus_in_a_password_stays_a_plus
    { "me:p+ss%2B%40" => "me:p+ss+@", "me" => "me:", "m%C3%A9:p@ss" => "mé:p@ss" }.each do |userinfo, credentials|
      url = @upstream.url.sub("//", "//#{userinfo}@")
      expected = "Basic #{[credentials].pack("m0")}"
      assert_equal expected, Streamer.get(url).json["headers"]["authorization"], userinfo
      assert_equal expected, Streamer::Client.new(url).get("/a").json["headers"]["authorization"], userinfo
      assert_equal "GET #{@upstream.url}/a", Streamer::Client.new(url).request(:get, "/a").to_s
    end
  end

  def test_what_is_no_url_is_refused_without_repeating_it
    ["ftp://secret@h/", "http://user:secret@/", "http://user:secret@h:x/", "secret", "http://user:secret@h/\n", "http://h:0/",
     "http://[::1/secret"].each do |url|
      error = assert_raises(ArgumentError, url) { Streamer.get(url) }
      refute_includes error.message, "secret"
      assert_raises(ArgumentError, url) { Streamer::Client.new(url) }
    end
  end

  def test_follows_the_locations_that_browsers_follow
    { "/a b" => "/a%20b", "/ü" => "/%C3%BC", "/\xFC".b => "/%FC", "/100%" => "/100%", "/%zz?a=%" => "/%zz?a=%", "b\\c" => "/x/b/c",
      "../d#e" => "/d",
      "?q=ü '" => "/x/start?q=%C3%BC%20%27", "http:f" => "/x/f", "http:/g" => "/g", "/{h}|[i]" => "/%7Bh%7D|[i]" }.each do |location, target|
      @upstream.on("/x/start") { |exchange| exchange.request.query.empty? ? exchange.redirect(location) : exchange.echo }
      response = Streamer.get(@upstream.url("/x/start"))
      assert_equal target, response.json["target"], location
      assert_equal @upstream.url(target), response.url
    end
  end

  def test_follows_no_location_that_cannot_be_requested
    ["http://h:0/", "http://a b/", "http://user:secret@/", "http://[::1", "http://a..b/", "ws://h/", "http://256.1.1.1/"].each do |location|
      @upstream.on("/start") { |exchange| exchange.redirect(location) }
      error = assert_raises(Streamer::RedirectError, location) { Streamer.get(@upstream.url("/start")) }
      refute_includes error.message, "secret"
    end
  end

  def test_an_origin_in_another_spelling_is_the_same
    ["HTTP://127.1:#{@port}/end", "http://0x7F.0.0.1:0#{@port}/end", "//127.0.0.1.:#{@port}/end",
     "http:\\\\127.0.0.1:#{@port}\\end"].each do |location|
      @upstream.on("/start") { |exchange| exchange.redirect(location) }
      echo = Streamer.get(@upstream.url("/start"), headers: { "authorization" => "Bearer secret" }).json
      assert_equal ["/end", "Bearer secret"], [echo["target"], echo["headers"]["authorization"]], location
    end
  end

  def test_another_name_of_the_same_host_is_another_origin
    @upstream.on("/start") { |exchange| exchange.redirect("http://localhost:#{@port}/end") }
    echo = Streamer.get(@upstream.url("/start"), headers: { "authorization" => "Bearer secret" }).json
    assert_equal ["/end", nil], [echo["target"], echo["headers"]["authorization"]]
  end

  # Fetch Standard, HTTP-redirect fetch.
  def test_credentials_in_a_location_are_for_the_same_origin
    @upstream.on("/start") { |exchange| exchange.redirect("//me:p+w@#{@host}:#{@port}/end") }
    assert_equal "Basic #{["me:p+w"].pack("m0")}", Streamer.get(@upstream.url("/start")).json["headers"]["authorization"]
    other = upstream(&:echo)
    @upstream.on("/start") { |exchange| exchange.redirect(other.url("/end").sub("//", "//me:secret@")) }
    error = assert_raises(Streamer::RedirectError) { Streamer.get(@upstream.url("/start")) }
    refute_includes error.message, "secret"
    assert_empty other.requests
  end

  def test_circuit_breakers_know_an_origin_in_any_spelling
    circuit = Streamer::CircuitBreaker.new(error_threshold: 2)
    @upstream.on("/broken") { |exchange| exchange.answer("", status: 500) }
    ["http://127.1:#{@port}/broken", "HTTP://me:secret@127.0.0.1:#{@port}/broken"].each { |url| Streamer.get(url, circuit: circuit) }
    [@upstream.url, "#{@upstream.url}/a?b", "http://127.1:#{@port}"].each { |url| assert_equal :open, circuit.state(url), url }
    error = assert_raises(Streamer::CircuitOpenError) { Streamer.get(@upstream.url, circuit: circuit) }
    assert_equal @upstream.url, error.origin
    assert_raises(ArgumentError) { circuit.state("example.com") }
  end

  def test_limits_know_an_origin_in_any_spelling
    Streamer.limits = { per_origin: 1 }
    @upstream.on("/held") { |exchange| exchange.head.chunk("data: a\n\n").stall }
    held = Streamer.get(@upstream.url("/held"))
    assert_raises(Streamer::QueueTimeoutError) { Streamer.get("http://127.1:#{@port}/", timeouts: { queue: 0.05 }) }
    assert_equal 200, Streamer.get("http://localhost:#{@port}/").status
  ensure
    held&.cancel
    Streamer.limits = {}
  end

  def test_resolve_knows_a_host_in_any_spelling
    { "service.example" => %w[SERVICE.example service.example.], "service.example." => %w[service.example],
      "bücher.example" => %w[xn--bcher-kva.example BÜCHER.example],
      "[2001:db8::1]" => %w[[2001:DB8:0::1]] }.each do |host, spellings|
      [host, *spellings].each do |spelling|
        assert_equal 200, Streamer.get("http://#{host}:#{@port}/", resolve: { "#{spelling}:#{@port}" => "127.0.0.1" }).status,
                     "#{host} #{spelling}"
      end
    end
  end

  def test_the_environments_proxy_and_its_exceptions
    proxy = upstream { |exchange| exchange.answer("proxied") }
    in_environment("http_proxy" => proxy.url) do
      assert_equal "proxied", Streamer.get(@upstream.url).read
      ["127.0.0.0/8", "a 127.0.0.1", "a,127.0.0.1"].each do |list|
        in_environment("no_proxy" => list) do
          assert_equal "GET",
                       Streamer.get(@upstream.url).json["method"], list
        end
      end
      in_environment("NO_PROXY" => "127.0.0.1:#{@port},*.0.0.1,127.0.0") { assert_equal "proxied", Streamer.get(@upstream.url).read }
    end
    in_environment("all_proxy" => "http://p+:secret@%zz:1") do
      error = assert_raises(Streamer::Error) { Streamer.get(@upstream.url, retries: 3) }
      assert_match(/all_proxy/, error.message)
      refute_includes error.full_message, "secret"
    end
  end

  private

  def in_environment(variables)
    saved = ENV.to_h.slice(*VARIABLES)
    variables.each { |name, value| ENV[name] = value }
    yield
  ensure
    VARIABLES.each { |name| ENV[name] = saved[name] }
  end
end

class RequestURLsOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include RequestURLTests
end

class RequestURLsInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include RequestURLTests
end
