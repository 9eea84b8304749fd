# frozen_string_literal: true

# Falcon over TLS with our own certificate, which its command cannot be told.
require "async"
require "async/http/endpoint"
require "falcon/server"
require "openssl"
require_relative "peer_app"

context = OpenSSL::SSL::SSLContext.new
context.cert = OpenSSL::X509::Certificate.new(File.read(ENV.fetch("CERTIFICATE")))
context.key = OpenSSL::PKey.read(File.read(ENV.fetch("KEY")))
context.alpn_select_cb = ->(offered) { offered.find { |name| name == ENV.fetch("ALPN") } }

# A body that is called is stopped at once when its stream is reset. One that is iterated runs in an Enumerator's fiber, which Falcon does not stop:
# it goes on until the flow-control window is used up.
app = lambda do |env|
  status, head, body = PeerApp.call(env)
  streamed = lambda do |stream|
    body.each { |piece| stream.write(piece) }
  ensure
    body.close
    stream.close
  end
  [status, head, streamed]
end

endpoint = Async::HTTP::Endpoint.parse("https://127.0.0.1:#{ENV.fetch("PORT")}", ssl_context: context)
Sync { Falcon::Server.new(Falcon::Server.middleware(app), endpoint).run.each(&:wait) }
