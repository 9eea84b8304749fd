# frozen_string_literal: true

require_relative "socket"

module Streamer
  module Sinks
    # The socket of a server that goes on with it when the stream is over: that of Falcon's connection over HTTP/1.1 without TLS. While
    # Falcon waits for the next chunk of a body, the chunks are written here, past it: a relay needs neither Ruby nor an event loop.
    class BorrowedSocket < Socket
      # stream: Falcon's, of a callable body. What Falcon has written of the response has been flushed.
      def initialize(io, stream, **timing)
        @stream = stream
        super(io, chunked: true, **timing)
      end

      # The stream is the server's until all is over, so this fiber waits for that.
      def detach
        super.tap { |taken| wait if taken }
      end

      private

      def take(io, **options) = BrowserSocket.new(io, shared: true, **options)

      def wait
        @browser.wait
      ensure
        finish
      end

      def finish
        @browser.abort
      ensure
        @stream.close
      end
    end
  end
end
