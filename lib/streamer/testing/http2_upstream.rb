# frozen_string_literal: true

require "async"
require "async/http"
require "openssl"
require "streamer/testing"

module Streamer
  module Testing
    # An upstream that speaks HTTP/2 over TLS, in a thread of its own. It needs the gem async-http, and is loaded by itself:
    #
    #   require "streamer/testing/http2_upstream"
    #
    #   upstream = Streamer::Testing::HTTP2Upstream.new { |stream| stream.event("a").event("b") }
    #   upstream.url("/")               # "https://localhost:41234/"; Certificates.ca_file is to be trusted
    #   upstream.connections            # how many were opened
    #   upstream.resets                 # paths of the streams that the client has reset, in their order
    #   upstream.stop
    #
    # The block gets a Stream for each request, and a fiber of its own. What it raises is raised by `stop`.
    class HTTP2Upstream
      # What a script writes to. Its methods return it, so they chain.
      class Stream
        # path: of the request.
        attr_reader :path

        def initialize(request, body) # :nodoc:
          @request, @path, @body = request, request.path, body
        end

        # An event with this data.
        def event(data)
          @body.write("data: #{data}\n\n")
          self
        end

        # Waits, in seconds.
        def pause(seconds) = tap { sleep(seconds) }

        # The client is to open no further stream on this connection (RFC 9113, 6.8); those that are open end as usual.
        def goaway
          connection = @request.connection # whose send_goaway would cut what is open
          frame = ::Protocol::HTTP2::GoawayFrame.new
          frame.pack(connection.remote_stream_id, 0, "")
          connection.write_frame(frame)
          self
        end

        # Until the client resets the stream.
        def stall
          @body.write(": still there\n\n") while sleep(0.01)
        end
      end

      # script: gets a Stream for each request.
      def initialize(&script)
        @script = script
        @connections = Thread::Queue.new
        @resets = Thread::Queue.new
        @server = TCPServer.new("127.0.0.1", 0)
        @stopping = IO.pipe
        @thread = Thread.new { serve }
      end

      # Of a path: "https://localhost:PORT/path".
      def url(path = "") = "https://localhost:#{@server.local_address.ip_port}#{path}"
      # How many connections were accepted.
      def connections = @connections.size
      # The paths of the requests whose streams the client has reset.
      def resets = Array.new(@resets.size) { @resets.pop }.each { |path| @resets << path }

      # Ends the server; raises what a script has raised.
      def stop
        Upstream.without_scheduler do
          @stopping.last.close
          @thread.join
          [@server, @stopping.first].each(&:close)
        end
        raise @failure if @failure
      end

      private

      def serve
        Sync do |task|
          accepting = task.async { loop { accept(task) } }
          @stopping.first.wait_readable
          accepting.stop
          task.children&.each(&:stop)
        end
      end

      def accept(task)
        plain = @server.accept
        @connections << true
        task.async { speak(plain) }
      end

      def speak(plain)
        socket = OpenSSL::SSL::SSLSocket.new(plain, context).tap { |secure| secure.sync_close = true }.accept
        connection = Async::HTTP::Protocol::HTTP2.server(::IO::Stream(socket))
        connection.each { |request| answer(request) }
      rescue IOError, SystemCallError, OpenSSL::SSL::SSLError, ::Protocol::HTTP2::Error
        nil # the client left
      ensure
        plain.close
      end

      def answer(request)
        body = ::Protocol::HTTP::Body::Writable.new
        Async do
          @script.call(Stream.new(request, body))
          body.close_write
          ended = true
        rescue IOError, ::Protocol::HTTP2::Error, ::Protocol::HTTP::Body::Writable::Closed
          nil # reset, as older versions of async-http have it
        rescue StandardError => error
          ended = true
          @failure ||= error
        ensure
          @resets << request.path unless ended # a task that is stopped, as newer ones have it, passes here, too
        end
        ::Protocol::HTTP::Response[200, [["content-type", "text/event-stream"]], body]
      end

      def context
        @context ||= OpenSSL::SSL::SSLContext.new.tap do |context|
          context.cert = Certificates.server_certificate
          context.key = Certificates.server_key
          context.alpn_select_cb = ->(offered) { offered.find { |name| name == "h2" } }
        end
      end
    end
  end
end
