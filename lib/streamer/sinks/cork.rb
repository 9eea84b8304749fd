# frozen_string_literal: true

require "socket"

module Streamer
  module Sinks
    # Puma corks the connection (TCP_CORK) for as long as it goes through an enumerable body, and the kernel holds what is
    # written to a corked connection back for up to 200 ms. For a stream the cork has to go.
    module Cork
      SUPPORTED = ::Socket.const_defined?(:TCP_CORK)

      # Makes this one stream (an ActionController::Live::Buffer) release the cork when Puma begins to read it.
      module OnEach
        def each(&block)
          Cork.release(@response.request.env) if block
          super
        end
      end

      class << self
        # Releases it now. Does nothing where there is none: another server, another system, a Unix socket.
        def release(env)
          return unless SUPPORTED && (socket = env["puma.socket"])

          io = socket.to_io
          io.setsockopt(::Socket::IPPROTO_TCP, ::Socket::TCP_CORK, 0) if io.is_a?(::TCPSocket)
        rescue IOError, SystemCallError
          nil # the browser has left; the next write says so
        end

        # Releases it for a Live stream, whose reader is another thread: Puma corks after the head was committed and before
        # it calls `each`. When that may have happened already, the cork is released now as well.
        def release_for(stream)
          return unless defined?(::ActionController::Live::Buffer) && stream.is_a?(::ActionController::Live::Buffer)

          stream.extend(OnEach)
          response = stream.instance_variable_get(:@response)
          release(response.request.env) if response.committed?
        end
      end
    end
  end
end
