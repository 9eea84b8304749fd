# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "support/fault_server"

# What a TLS connection is trusted for, and what it costs to make another.
module EngineTLSTests
  A = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9\r\nconnection: close\r\n\r\ndata: a\n\n"
  VERSIONS = { "1.2" => OpenSSL::SSL::TLS1_2_VERSION, "1.3" => OpenSSL::SSL::TLS1_3_VERSION }.freeze

  VERSIONS.each do |name, version|
    define_method(:"test_sessions_of_tls_#{name.tr(".", "_")}_are_resumed_over_http_1_1_and_http_2") do
      [false, true].each do |http2|
        resumed = Thread::Queue.new
        context = context_with(http2 ? "h2" : "http/1.1") { |made| made.min_version = made.max_version = version }
        serve(context, http2: http2) { |connection| resumed << connection.socket.session_reused? }
        4.times { assert_equal ["a"], events(@client.get("/")) }

        assert_equal [false, true, true, true], Array.new(4) { resumed.pop }, "http2: #{http2}"
      end
    end
  end

  # What was learned of one is no trust in another.
  def test_a_session_is_not_resumed_by_who_trusts_somebody_else
    serve(context_with("http/1.1"))
    2.times { assert_equal ["a"], events(@client.get("/")) }
    assert_raises(Streamer::TLSError) { Streamer.get(@server.url) }
    assert_equal ["a"], events(Streamer.get(@server.url, tls: { verify: false }))
    assert_raises(Streamer::TLSError) { Streamer.get(@server.url) }
    assert_raises(Streamer::TLSError) { Streamer.get(@server.url("/").sub("localhost", "127.0.0.1"), tls: { ca_file: Certificates.ca_file }) }
  end

  CERTIFICATES = {
    "expired" => ->(certificate) { certificate.not_after = Time.now - 60 },
    "not valid yet" => ->(certificate) { certificate.not_before = Time.now + 3600 },
    "for another name" => lambda do |certificate|
      certificate.extensions = [OpenSSL::X509::ExtensionFactory.new.create_extension("subjectAltName", "DNS:example.com")]
    end,
    "for names below" => ->(certificate) { certificate.extensions = [OpenSSL::X509::ExtensionFactory.new.create_extension("subjectAltName", "DNS:*.localhost")] }
  }.freeze

  def test_certificates_that_are_not_to_be_trusted
    CERTIFICATES.each do |name, change|
      %w[h2 http/1.1].each do |protocol|
        context = context_with(protocol) { |made| made.cert = signed(&change) }
        serve(context, http2: protocol == "h2") { flunk "a request was sent to a server with a certificate #{name}" }
        error = assert_raises(Streamer::TLSError, name) { @client.get("/") }
        assert_equal "GET #{@server.url("/")}", error.request
      end
    end
  end

  def test_a_certificate_that_it_signed_itself
    key = OpenSSL::PKey::EC.generate("prime256v1")
    context = context_with("h2") do |made|
      made.key = key
      made.cert = signed(key) do |certificate|
        certificate.issuer = certificate.subject
        certificate.public_key = key
      end
    end
    serve(context, http2: true) { flunk }
    assert_raises(Streamer::TLSError) { @client.get("/") }
  end

  def test_a_client_certificate_over_http_2
    subjects = Thread::Queue.new
    context = context_with("h2") do |made|
      made.ca_file = Certificates.ca_file
      made.verify_mode = OpenSSL::SSL::VERIFY_PEER | OpenSSL::SSL::VERIFY_FAIL_IF_NO_PEER_CERT
      made.session_id_context = "streamer"
    end
    serve(context, http2: true) { |connection| subjects << connection.socket.peer_cert.subject.to_s }
    trusted = { ca_file: Certificates.ca_file }
    2.times { assert_equal ["a"], events(Streamer.get(@server.url, tls: { **trusted, **Certificates.client })) }
    assert_match(/streamer test client/, subjects.pop)
    assert_raises(Streamer::ConnectionError) { Streamer.get(@server.url, tls: trusted).read }
    error = assert_raises(Streamer::TLSError) { Streamer.get(@server.url, tls: { **trusted, **Certificates.client, key_password: "wrong" }) }
    refute_includes error.full_message, "s3cr3t"
  end

  private

  def serve(context, http2: false, &look)
    kind = http2 ? FaultServer::HTTP2 : FaultServer::HTTP1
    @server = kind.new(context: context) do |connection|
      if http2
        stream = connection.request.stream
        look&.call(connection)
        connection.respond(stream, "a").goaway(stream)
        connection.wait_gone
      else
        connection.read_head or next
        look&.call(connection)
        connection.write(A)
        connection.wait_gone
      end
    end
    (@stopped_at_the_end ||= []) << @server
    @client = @server.client
  end

  def context_with(protocol)
    OpenSSL::SSL::SSLContext.new.tap do |context|
      context.cert = Certificates.server_certificate
      context.key = Certificates.server_key
      context.alpn_select_cb = ->(offered) { (offered & [protocol]).first }
      yield context if block_given?
    end
  end

  # The server's certificate, changed and signed by the authority, or by `key`.
  def signed(key = Certificates.send(:ca_key))
    certificate = OpenSSL::X509::Certificate.new(Certificates.server_certificate.to_der)
    yield certificate
    certificate.sign(key, OpenSSL::Digest.new("SHA256"))
  end

  def events(response) = response.each_event.map(&:data)
end

class EngineTLSOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include EngineTLSTests
end

class EngineTLSInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include EngineTLSTests
end
