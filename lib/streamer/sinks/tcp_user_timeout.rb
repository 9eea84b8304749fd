# frozen_string_literal: true

require "socket"

module Streamer
  module Sinks
    # A browser whose packets are lost answers nothing, and the kernel would take heartbeats for it for about 15 minutes. With a limit it gives
    # such a connection up, with ETIMEDOUT.
    module TcpUserTimeout
      SUPPORTED = ::Socket.const_defined?(:TCP_USER_TIMEOUT)

      # io: what the stream is written to in the end; anything but a TCP socket is left alone. seconds: in which a peer may acknowledge nothing.
      def self.limit(io, seconds)
        return unless SUPPORTED && io.is_a?(::BasicSocket) && io.local_address.ip?

        io.setsockopt(::Socket::IPPROTO_TCP, ::Socket::TCP_USER_TIMEOUT, (seconds.to_f * 1000).ceil)
      rescue IOError, SystemCallError
        nil # the browser has left; the next write says so
      end
    end
  end
end
