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
    read_partly = StringIO.new("not a body").tap { |io| io.read(4) }
    assert_equal "a body", @client.post("/start", body: read_partly).json["body"]
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

  def test_without_a_location_it_is_a_response_like_any_other
    @upstream.on("/start") { |exchange| exchange.answer("choose", status: 302) }
    assert_equal [302, "choose"], @client.get("/start").then { |response| [response.status, response.read] }
    assert_equal 302, assert_raises(Streamer::ResponseError) { @client.get("/start").each_event { nil } }.status
  end

  def test_a_location_that_is_there_twice
    repeated = ->(*locations) { "HTTP/1.1 302 Found\r\n#{locations.map { |location| "location: #{location}\r\n" }.join}content-length: 0\r\n\r\n" }
    @upstream.on("/start") { |exchange| exchange.raw(repeated.call("/end", "/end")) }
    assert_equal "/end", @client.get("/start").json["target"]
    @upstream.on("/start") { |exchange| exchange.raw(repeated.call("/end", "/other")) }
    assert_raises(Streamer::RedirectError) { @client.get("/start") }
  end

  ABOUT_THE_BODY = { "content-type" => "text/x", "content-encoding" => "gzip", "content-language" => "de", "content-location" => "/a" }.freeze

  def test_a_post_that_becomes_a_get_sends_nothing_about_a_body
    { [301, "POST"] => "GET", [302, "POST"] => "GET", [303, "POST"] => "GET", [303, "PUT"] => "GET", [303, "DELETE"] => "GET",
      [303, "PATCH"] => "GET",
      [301, "PUT"] => "PUT", [302, "PATCH"] => "PATCH", [307, "POST"] => "POST", [308, "PUT"] => "PUT" }.each do |(status, method), expected|
      @upstream.on("/start") { |exchange| exchange.redirect("/end", status: status) }
      echo = @client.request(method, "/start", headers: { **ABOUT_THE_BODY, "x-own" => "1" }, body: "body").call.json
      kept = expected == method
      assert_equal [expected, kept ? 4 : 0, "1"], [*echo.values_at("method", "bytes"), echo["headers"]["x-own"]], [status, method].inspect
      assert_equal kept ? ABOUT_THE_BODY : {}, echo["headers"].slice(*ABOUT_THE_BODY.keys, "transfer-encoding", "expect"), [status, method].inspect
    end
  end

  def test_head_and_get_stay_what_they_are
    [301, 302, 303, 307, 308].product(%w[HEAD GET]).each do |status, method|
      @upstream.on("/start") { |exchange| exchange.redirect("/end", status: status) }
      @client.request(method, "/start").call.cancel
      assert_equal method, @upstream.requests.last.method, [status, method].inspect
    end
  end

  def test_a_body_that_goes_along_to_another_origin_is_still_described
    @upstream.on("/start") { |exchange| exchange.redirect(@other.url("/end"), status: 307) }
    echo = @client.post("/start", headers: { **ABOUT_THE_BODY, "x-own" => "secret" }, body: "body").json
    assert_equal ["POST", 4], echo.values_at("method", "bytes")
    assert_equal ABOUT_THE_BODY, echo["headers"].slice(*ABOUT_THE_BODY.keys)
    refute_match(/secret/, echo["headers"].to_s)
  end

  def test_credentials_in_a_location
    with = ->(url, user) { url.sub("//", "//#{user}@") }
    @upstream.on("/start") { |exchange| exchange.redirect(with.call(@upstream.url("/end"), "new:pass")) }
    basic = ->(text) { "Basic #{[text].pack("m0")}" }
    assert_equal basic["new:pass"], Streamer.get(@upstream.url("/start")).json["headers"]["authorization"]
    assert_equal basic["new:pass"], Streamer.get(with.call(@upstream.url("/start"), "old:pass")).json["headers"]["authorization"]
    assert_equal "Bearer secret", @client.get("/start").json["headers"]["authorization"], "what the application set wins"
    @upstream.on("/start") { |exchange| exchange.redirect(with.call(@other.url("/end"), "new:pass")) }
    assert_raises(Streamer::RedirectError) { @client.get("/start") }
    assert_empty @other.requests
  end

  def test_a_chain_may_be_as_long_as_redirects_says
    @upstream.on("/1") { |exchange| exchange.redirect("/2") }
    @upstream.on("/2") { |exchange| exchange.redirect("/3") }
    assert_equal "/3", @client.get("/1", redirects: 2).json["target"]
    assert_raises(Streamer::RedirectError) { @client.get("/1", redirects: 1) }
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
