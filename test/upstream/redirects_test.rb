# frozen_string_literal: true

require "test_helper"
require "stringio"
require "support/contexts"

# Redirects: followed as a browser does, and never with a secret to somebody else.
module RedirectTests
  SECRETS = { "authorization" => "Bearer secret", "cookie" => "a=secret", "x-api-key" => "secret", "proxy-authorization" => "secret" }.freeze

  def setup
    @upstream = upstream(&:echo)
    @other = upstream(&:echo)
    @client = Streamer::Client.new(@upstream.url, headers: SECRETS)
  end

  def test_within_the_origin_everything_goes_along
    @upstream.on("/start") { |exchange| exchange.redirect("/end?a=1") }
    response = @client.get("/start")
    echo = response.json
    assert_equal "/end?a=1", echo["target"]
    assert_equal SECRETS, echo["headers"].slice(*SECRETS.keys)
    assert_equal @upstream.url("/end?a=1"), response.url
    assert_equal 1, @upstream.connections
  end

  def test_across_origins_no_secret_goes_along
    @upstream.on("/start") { |exchange| exchange.redirect(@other.url("/end")) }
    headers = @client.get("/start", headers: { "accept" => "a/b" }).json["headers"]
    assert_equal "a/b", headers["accept"]
    refute_match(/secret/, headers.to_s)
    assert_equal 1, @other.requests.size
  end

  def test_a_secret_does_not_come_back_after_a_detour
    @upstream.on("/start") { |exchange| exchange.redirect(@other.url("/detour")) }
    @other.on("/detour") { |exchange| exchange.redirect(@upstream.url("/end")) }
    refute_match(/secret/, @client.get("/start").json["headers"].to_s)
  end

  def test_credentials_in_the_url_stay_at_home
    @upstream.on("/start") { |exchange| exchange.redirect(@other.url("/end")) }
    url = @upstream.url("/start").sub("http://", "http://user:secret@")
    assert_nil Streamer.get(url).json["headers"]["authorization"]
    assert_equal "Basic #{["user:secret"].pack("m0")}", @upstream.requests.first.headers["authorization"]
  end

  def test_a_port_is_part_of_an_origin
    refute_equal @upstream.url, @other.url
    assert_equal URI(@upstream.url).host, URI(@other.url).host
  end

  def test_what_becomes_of_a_post
    { 301 => ["GET", 0], 302 => ["GET", 0], 303 => ["GET", 0], 307 => ["POST", 7], 308 => ["POST", 7] }.each do |status, expected|
      @upstream.on("/start") { |exchange| exchange.redirect("/end", status: status) }
      echo = @client.post("/start", json: { a: 1 }).json
      assert_equal expected, echo.values_at("method", "bytes"), status.to_s
      assert_equal expected.first == "POST", echo["headers"].key?("content-type"), status.to_s
    end
  end

  def test_an_io_body_is_rewound_to_where_it_stood
    @upstream.on("/start") { |exchange| exchange.redirect("/end", status: 307) }
    assert_equal "a body", @client.post("/start", body: StringIO.new("a body")).json["body"]
  end

  def test_a_body_that_cannot_be_sent_again_is_an_error
    reader = Class.new { def read(_length) = (@read ? nil : (@read = "once")) }.new
    @upstream.on("/start") { |exchange| exchange.redirect("/end", status: 307) }
    assert_raises(Streamer::RedirectError) { @client.post("/start", body: reader) }
  end

  def test_a_loop_ends
    @upstream.on("/loop") { |exchange| exchange.redirect("/loop") }
    error = assert_raises(Streamer::RedirectError) { @client.get("/loop?key=secret") }
    assert_equal "GET #{@upstream.url}/loop", error.request
    refute_match(/secret/, error.message)
    assert_equal Streamer::Request::REDIRECTS + 1, @upstream.requests.size
  end

  def test_none_is_followed_when_none_is_allowed
    @upstream.on("/start") { |exchange| exchange.redirect("/end") }
    response = @client.get("/start", redirects: 0)
    assert_equal [302, "/end"], [response.status, response.headers["location"]]
    response.cancel
  end

  def test_a_location_that_leads_nowhere
    ["ftp://127.0.0.1/", "http://", "http://[", "javascript:1", "file:///etc/passwd"].each do |location|
      @upstream.on("/start") { |exchange| exchange.redirect(location) }
      error = assert_raises(Streamer::RedirectError, location) { @client.get("/start") }
      assert_equal "GET #{@upstream.url}/start", error.request
    end
  end

  def test_no_location
    @upstream.on("/start") { |exchange| exchange.answer("", status: 302) }
    assert_raises(Streamer::RedirectError) { @client.get("/start") }
  end

  def test_total_covers_all_of_a_chain
    @upstream.on("/slow") { |exchange| exchange.pause(0.15).redirect("/slow") }
    assert_raises(Streamer::TotalTimeoutError) { @client.get("/slow", timeouts: { total: 0.25 }) } # and not RedirectError
  end
end

class RedirectsOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include RedirectTests
end

class RedirectsInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include RedirectTests
end

class RedirectsInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include RedirectTests
end
