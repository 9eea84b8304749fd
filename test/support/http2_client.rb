# frozen_string_literal: true

require "async/http"

# A browser's side of HTTP/2: yields an Async::HTTP::Client to a server on loopback without TLS, within an event loop of its own, for
# `timeout` seconds at most. Returns the block's value.
module HTTP2Client
  def self.open(port, timeout: 60)
    endpoint = Async::HTTP::Endpoint.parse("http://127.0.0.1:#{port}", protocol: Async::HTTP::Protocol::HTTP2)
    Sync do |task|
      task.with_timeout(timeout) { Async::HTTP::Client.open(endpoint, retries: 0) { |client| yield client } }
    end
  end
end
