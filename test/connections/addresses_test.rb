# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# resolve:, and hosts with several addresses.
module AddressesTests
  def setup
    @upstream = upstream(&:echo)
    @port = URI(@upstream.url).port
  end

  def test_a_name_can_be_given_an_address
    answer = Streamer.get("http://service.invalid:#{@port}/a", resolve: { "service.invalid:#{@port}" => "127.0.0.1" }).json
    assert_equal ["/a", "service.invalid:#{@port}"], [answer["target"], answer["headers"]["host"]]
  end

  def test_it_holds_for_that_request_alone
    name = "#{"a" * 64}.invalid" # a label too long, which needs no name server to be refused
    url = "http://#{name}:#{@port}/"
    Streamer.get(url, resolve: { "#{name}:#{@port}" => "127.0.0.1" }).read
    assert_raises(Streamer::ResolveError) { Streamer.get(url) }
    other = upstream(&:echo)
    moved = { "127.0.0.1:#{@port}" => "127.0.0.2" }
    Streamer.get(@upstream.url).read
    assert_raises(Streamer::ConnectError) { Streamer.get(@upstream.url, resolve: moved) } # and not over the kept connection
    assert_equal 200, Streamer.get(other.url, resolve: moved).status
  end

  def test_the_certificate_is_still_the_names
    secure = upstream(tls: true, &:echo)
    port = URI(secure.url).port
    options = { tls: { ca_file: Certificates.ca_file } }
    assert_equal 200, Streamer.get(secure.url, resolve: { "localhost:#{port}" => "127.0.0.1" }, **options).status
    assert_raises(Streamer::TLSError) do
      Streamer.get("https://other.invalid:#{port}/", resolve: { "other.invalid:#{port}" => "127.0.0.1" }, **options)
    end
  end

  def test_ipv6
    skip "no IPv6 loopback here" unless ipv6?

    server = TCPServer.new("::1", 0)
    port = server.local_address.ip_port
    answer = in_thread { serve_one(server) }
    assert_equal 200, Streamer.get("http://service.invalid:#{port}/", resolve: { "service.invalid:#{port}" => "::1" }).status
    answer.value
  end

  def test_what_cannot_be_resolved_to_is_refused
    [{ "host" => "127.0.0.1" }, { "host:80" => "name" }, { "host:80\n" => "127.0.0.1" }, { "host:80" => "127.0.0.1:8080" },
     { "host:80" => [] }].each do |resolve|
      assert_raises(ArgumentError, resolve.inspect) { Streamer::Client.new(@upstream.url, resolve: resolve) }
    end
  end

  # Happy eyeballs (RFC 8305) is libcurl's: a first address that is silent costs 200 ms, and one that refuses costs nothing.
  def test_a_silent_address_holds_up_the_other_only_for_a_moment
    skip "no IPv6 loopback here" unless ipv6?

    silent = full_queue("::1", @port)
    took = seconds { assert_equal 200, get_by("::1", "127.0.0.1").status }
    assert_operator took, :<, 5
    assert_raises(Streamer::ConnectTimeoutError) { get_by("::1", timeouts: { connect: 0.3 }) }
  ensure
    silent&.each(&:close)
  end

  # Of one family they are asked one after the other.
  def test_a_silent_address_leaves_the_next_its_part_of_the_connect_timeout
    silent = full_queue("127.0.0.2", @port)
    assert_equal 200, get_by("127.0.0.2", "127.0.0.1", timeouts: { connect: 4 }).status
    assert_raises(Streamer::ConnectTimeoutError) { get_by("127.0.0.2", timeouts: { connect: 0.3 }) }
  ensure
    silent&.each(&:close)
  end

  def test_an_address_that_refuses_is_passed_over
    assert_equal 200, get_by("127.0.0.2", "127.0.0.1").status
    assert_equal 200, get_by("::1", "127.0.0.1").status if ipv6?
  end

  def test_the_guard_passes_over_the_addresses_that_it_refuses
    assert_equal 200, get_by("10.0.0.1", "127.0.0.1", guard: ["127.0.0.1"]).status
  end

  private

  def get_by(*addresses, **options)
    Streamer.get("http://service.invalid:#{@port}/", resolve: { "service.invalid:#{@port}" => addresses }, **options)
  end

  def ipv6? = Socket.ip_address_list.any?(&:ipv6_loopback?)

  def serve_one(server)
    socket = server.accept
    socket.gets("\r\n\r\n")
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    socket.close
    server.close
  end

  # A port that takes no connection, as in Upstream.blackhole.
  def full_queue(address, port)
    place = Addrinfo.tcp(address, port)
    server = Socket.new(place.pfamily, :STREAM)
    server.setsockopt(:IPV6, :V6ONLY, true) if place.ipv6?
    server.bind(place)
    server.listen(0)
    [server, *Array.new(4) { Socket.new(place.pfamily, :STREAM).tap { |socket| socket.connect_nonblock(place, exception: false) } }]
  end
end

class AddressesOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include AddressesTests
end

class AddressesInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include AddressesTests
end

class AddressesInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include AddressesTests
end
