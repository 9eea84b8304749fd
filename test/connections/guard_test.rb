# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# guard: no connection to an address that is not public. Which those are is tested in test/native/upstream_test.c.
module GuardTests
  def setup
    @upstream = upstream(&:echo)
    @port = URI(@upstream.url).port
  end

  def test_loopback_is_refused_under_every_name
    names = %w[127.0.0.1 localhost 127.1 2130706433 0x7f000001 017700000001 0.0.0.0 [::1] [::ffff:127.0.0.1] [::]]
    names.each do |name|
      assert_raises(Streamer::ForbiddenAddressError, Streamer::ResolveError, ArgumentError, name) { get("http://#{name}:#{@port}/") }
    end
    assert_forbidden("http://127.0.0.1:#{@port}/")
    assert_forbidden("http://localhost:#{@port}/")
    assert_equal 0, @upstream.connections
  end

  # As a name that resolves to it does.
  def test_what_is_not_public_is_refused_before_a_packet_is_sent
    %w[10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 224.0.0.1 fc00::1 fe80::1 ::ffff:10.0.0.1].each do |address|
      assert_forbidden("http://name.invalid/", resolve: { "name.invalid:80" => address }, timeouts: { connect: 20 })
    end
  end

  def test_the_error_names_the_host_and_not_its_address
    error = assert_forbidden("http://name.invalid/a?key=secret", resolve: { "name.invalid:80" => "10.9.8.7" })
    assert_includes error.message, "name.invalid"
    refute_match(/10\.9\.8\.7|secret/, error.full_message)
    assert_equal :forbidden_address, error.timings[:outcome]
    assert_nil error.timings[:address]
  end

  def test_after_a_redirect
    inside = upstream(&:echo)
    @upstream.on("/moved") { |exchange| exchange.redirect("http://localhost:#{URI(inside.url).port}/") }
    allowed_outside = { guard: ["127.0.0.0/8"], resolve: { "localhost:#{URI(inside.url).port}" => "10.0.0.1" } }
    error = assert_raises(Streamer::ForbiddenAddressError) { Streamer.get(@upstream.url("/moved"), **allowed_outside) }
    assert_includes error.message, "localhost"
    assert_empty inside.requests
  end

  # DNS rebinding: the name led here when somebody looked, and leads there now.
  def test_what_a_name_leads_to_counts_when_the_connection_is_made
    url = "http://name.invalid:#{@port}/"
    networks = ["127.0.0.0/8"]
    assert_equal 200, Streamer.get(url, guard: networks, resolve: { "name.invalid:#{@port}" => "127.0.0.1" }).status
    assert_forbidden(url, guard: networks, resolve: { "name.invalid:#{@port}" => "10.0.0.1" })
  end

  def test_a_connection_that_was_opened_without_the_guard_is_not_reused
    Streamer.get(@upstream.url).read
    assert_equal 1, @upstream.connections
    assert_forbidden(@upstream.url)
    assert_equal 1, @upstream.requests.size
  end

  def test_networks_can_be_allowed
    assert_equal 200, Streamer.get(@upstream.url, guard: ["10.0.0.0/8", "127.0.0.1"]).status
    assert_forbidden(@upstream.url, guard: ["10.0.0.0/8", "::1"])
  end

  def test_the_environments_proxy_does_not_come_between
    ENV["http_proxy"] = @upstream.url
    assert_forbidden("http://name.invalid/", resolve: { "name.invalid:80" => "10.0.0.1" })
    assert_equal 0, @upstream.connections
  ensure
    ENV.delete("http_proxy")
  end

  def test_a_proxy_or_a_socket_would_blind_it
    [{ proxy: "http://localhost:3128" }, { unix: "/tmp/socket" }].each do |way|
      error = assert_raises(ArgumentError) { Streamer::Client.new(@upstream.url, guard: true, **way) }
      assert_match(/guard:/, error.message)
    end
  end

  def test_what_is_no_network_is_refused
    [["nonsense"], "10.0.0.0/99", 7].each do |networks|
      assert_raises(ArgumentError, networks.inspect) { Streamer::Client.new(@upstream.url, guard: networks) }
    end
  end

  def test_a_client_guards_all_its_requests
    client = Streamer::Client.new(@upstream.url, guard: true)
    assert_raises(Streamer::ForbiddenAddressError) { client.get("/") }
    assert_raises(Streamer::ForbiddenAddressError) { client.post("/", json: {}) }
    assert_equal 0, @upstream.connections
  end

  private

  def get(url, guard: true, **options) = Streamer.get(url, guard: guard, **options)

  def assert_forbidden(url, **options)
    assert_raises(Streamer::ForbiddenAddressError) { get(url, **options) }
  end
end

class GuardOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include GuardTests
end

class GuardInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include GuardTests
end

class GuardInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include GuardTests
end
