# frozen_string_literal: true

# Faraday's own examples for adapters, as its gem brings them, against real sockets: a program of its own for RSpec, which
# test/transports/faraday_examples_test.rb runs.
#
# The examples say with WebMock's stubs what example.com answers. Here nothing is intercepted: the requests go to servers on loopback, which
# look up the answer among the stubs, write it, and note the request for WebMock's expectations.
require "faraday_specs_setup"
require "streamer/faraday"
require_relative "upstream"

module FaradayExamples
  HOST = "example.com"

  class << self
    # The URL on loopback for one of example.com's. What a stub says times out goes where nobody takes the connection.
    def place(method, uri)
      return blackhole.tap { note(method, uri.to_s, nil, nil) } if stubs.any? { |stub| stub.response.should_timeout }

      "#{servers.fetch(uri.scheme).url}#{uri.request_uri}"
    end

    def stop
      @servers&.each_value(&:stop)
      @hole&.close
    end

    private

    def stubs = WebMock::StubRegistry.instance.request_stubs

    def servers
      @servers ||= { "http" => false, "https" => true }.to_h do |scheme, tls|
        [scheme, Upstream.new(tls: tls) { |exchange| answer(exchange, scheme) }]
      end
    end

    def answer(exchange, scheme)
      request = exchange.request
      url = request.target.start_with?("/") ? "#{scheme}://#{HOST}#{request.target}" : request.target # a proxy is asked for URLs
      signature = note(request.method, url, request.body.to_s, request.headers)
      stub = WebMock::StubRegistry.instance.response_for_request(signature)
      status, = stub&.status || [501]
      body = stub&.body.to_s
      headers = stub&.headers.to_h.merge("Content-Length" => body.bytesize)
      exchange.raw("HTTP/1.1 #{status} \r\n#{headers.map { |name, value| "#{name}: #{Array(value).join(", ")}\r\n" }.join}\r\n")
      exchange.raw(body) unless request.method == "HEAD"
    end

    def note(method, url, body, headers)
      WebMock::RequestSignature.new(method.downcase.to_sym, url, body: body, headers: headers).tap do |signature|
        WebMock::RequestRegistry.instance.requested_signatures.put(signature)
      end
    end

    def blackhole
      @hole ||= Socket.new(:INET, :STREAM).tap do |server|
        server.bind(Addrinfo.tcp("127.0.0.1", 0))
        server.listen(0)
        @fillers = Array.new(4) do
          Socket.new(:INET, :STREAM).tap { |socket| socket.connect_nonblock(server.local_address, exception: false) }
        end
      end
      "http://127.0.0.1:#{@hole.local_address.ip_port}"
    end
  end

  # Requests to example.com go to loopback; the proxy of the http ones is there, too. (What goes through tunnels, is tested elsewhere.)
  module Detour
    def initialize(method, url, timeouts: {}, proxy: nil, **options)
      return super if url.respond_to?(:host) == false || url.host != HOST

      timeouts = timeouts.merge(connect: 0.1) if timeouts[:connect]
      place = FaradayExamples.place(method, url)
      return super(method, place, timeouts: timeouts, proxy: false, **options) unless proxy && url.scheme == "http"

      super(method, url, timeouts: timeouts, proxy: place, **options)
    end
  end
  Streamer::Request.prepend(Detour)
end

ENV["SSL_FILE"] = Certificates.ca_file

RSpec.configure { |config| config.after(:suite) { FaradayExamples.stop } }

RSpec.describe Streamer::Transports::FaradayAdapter do
  features :request_body_on_query_methods, :streaming, :trace_method, :skip_response_body_on_head

  it_behaves_like "an adapter"
end
