# frozen_string_literal: true

require "socket"

# Ports for servers that have to be told theirs.
module Ports
  # Below those that the system gives to whoever asks for any, so that nobody gets it before the server binds it.
  RANGE = (10_000..30_000)

  # A port of loopback on which nobody listens.
  def self.free
    TCPServer.open("127.0.0.1", rand(RANGE)) { |probe| probe.local_address.ip_port }
  rescue Errno::EADDRINUSE
    retry
  end
end
