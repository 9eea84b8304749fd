# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# https: verified unless told otherwise.
module TLSTests
  def setup
    @upstream = upstream(tls: true) { |exchange| exchange.openai(tokens: 2) }
    @upstream.on("/stalled") { |exchange| exchange.head.chunk("data: a\n\n").stall }
    @tls = { ca_file: Certificates.ca_file }
  end

  def test_a_private_authority_can_be_named
    assert_equal 3, count(@upstream.url, tls: @tls)
  end

  def test_an_unknown_authority_is_refused
    error = assert_raises(Streamer::TLSError) { count(@upstream.url) }
    assert_equal "GET #{@upstream.url}/", error.request
    assert_empty @upstream.requests
  end

  def test_a_certificate_for_another_name_is_refused
    assert_raises(Streamer::TLSError) { count(@upstream.url.sub("localhost", "127.0.0.1"), tls: @tls) }
    assert_empty @upstream.requests
  end

  def test_verification_can_be_switched_off_by_name
    assert_equal 3, count(@upstream.url, tls: { verify: false })
  end

  def test_an_authority_file_that_is_missing_is_an_error
    assert_raises(Streamer::TLSError, ArgumentError) { count(@upstream.url, tls: { ca_file: "/nonexistent/ca.pem" }) }
  end

  def test_a_client_certificate
    mutual = upstream(tls: :mutual) { |exchange| exchange.openai(tokens: 2) }
    2.times { assert_equal 3, count(mutual.url, tls: @tls.merge(Certificates.client)) }
    assert_equal 1, mutual.connections
    assert_raises(Streamer::ConnectionError) { count(mutual.url, tls: @tls) } # on a connection of its own
    assert_equal 2, mutual.requests.size
  end

  def test_a_client_certificate_that_cannot_be_used
    mutual = upstream(tls: :mutual) { |exchange| exchange.openai(tokens: 2) }
    [{ key_password: "wrong" }, { cert: "/nonexistent.pem" }, { key: "/nonexistent.pem" }].each do |wrong|
      error = assert_raises(Streamer::TLSError, wrong.inspect) { count(mutual.url, tls: { **@tls, **Certificates.client, **wrong }) }
      refute_includes error.full_message, "s3cr3t"
    end
  end

  def test_a_client_certificate_does_not_follow_to_another_origin
    mutual = upstream(tls: :mutual, &:echo)
    @upstream.on("/moved") { |exchange| exchange.redirect(mutual.url("/end")) }
    assert_raises(Streamer::ConnectionError) { Streamer.get(@upstream.url("/moved"), tls: @tls.merge(Certificates.client)) }
    assert_empty mutual.requests
  end

  def test_an_unknown_option_is_refused
    assert_raises(ArgumentError) { Streamer::Client.new(@upstream.url, tls: { verfy: false }) }
  end

  def test_a_verified_connection_is_not_shared_with_those_who_do_not_verify
    count(@upstream.url, tls: { verify: false })
    assert_raises(Streamer::TLSError) { count(@upstream.url) }
  end

  def test_a_server_that_speaks_no_tls
    plain = TCPServer.new("127.0.0.1", 0)
    answer = in_thread { plain.accept.then { |socket| socket.write("HTTP/1.1 400 Bad Request\r\n\r\n") && socket.close } }
    assert_raises(Streamer::TLSError) { count("https://127.0.0.1:#{plain.addr[1]}", tls: @tls) }
  ensure
    answer.value
    plain.close
  end

  def test_a_server_that_never_shakes_hands
    silent = TCPServer.new("127.0.0.1", 0)
    assert_raises(Streamer::ConnectTimeoutError) do
      count("https://127.0.0.1:#{silent.addr[1]}", tls: @tls, timeouts: { connect: 0.2 })
    end
  ensure
    silent.close
  end

  def test_keep_alive_and_cancel
    client = Streamer::Client.new(@upstream.url, tls: @tls)
    3.times { client.get("/").each_event.count }
    assert_equal 1, @upstream.connections
    response = client.get("/stalled")
    response.cancel
    assert @upstream.requests.last.wait_gone, "the upstream never saw the client leave"
  end

  def test_no_redirect_from_https_to_http
    plain = upstream(&:echo)
    @upstream.on("/start") { |exchange| exchange.redirect(plain.url("/end")) }
    assert_raises(Streamer::RedirectError) { Streamer.get(@upstream.url("/start"), tls: @tls) }
    assert_empty plain.requests
  end

  private

  def count(url, **options) = Streamer::Client.new(url, **options).get("/").each_event.count
end

class TLSOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include TLSTests
end

class TLSInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include TLSTests
end

class TLSInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include TLSTests
end
