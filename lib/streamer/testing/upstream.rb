# frozen_string_literal: true

require "json"
require "openssl"
require "socket"
require_relative "certificates"
require_relative "child"
require_relative "exchange"
require_relative "recorder"
require_relative "recording"
require_relative "request"

module Streamer
  module Testing
    # An HTTP/1.1 server on loopback that answers as the test says, well or badly, and remembers what it saw.
    #
    #   upstream = Streamer::Testing::Upstream.new { |exchange| exchange.openai(tokens: 3, every: 0.01) }
    #   upstream.on("/stall") { |exchange| exchange.head.stall }
    #   upstream.url("/stall")                # "http://127.0.0.1:41234/stall"
    #   upstream.requests.last.headers["x"]   # what arrived
    #   upstream.requests.last.wait_gone      # seconds (monotonic) at which the client was seen to leave
    #   upstream.stop
    #
    # One thread per connection, plain blocking sockets, and no library between the test and the bytes. A script is a block that gets
    # an Exchange; when the client leaves while a script writes or waits, the script ends. A script that returns without `close`
    # or `reset` keeps the connection for the next request. A script that raises ends its connection, and `stop` raises the same.
    class Upstream
      # Raised within a script, and rescued, when the client has left.
      Gone = Class.new(StandardError)

      # The monotonic clock, in seconds.
      def self.now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

      # One frame as api.openai.com sends it; the token is "t0 ", "t1 ", ...
      def self.token(number, text = "t#{number} ")
        chunk = {
          id: "chatcmpl-Bq3kT0vYx1", object: "chat.completion.chunk", created: 1_751_371_200, model: "gpt-4o-mini-2024-07-18",
          service_tier: "default", system_fingerprint: "fp_34a54ae93c",
          choices: [{ index: 0, delta: { content: text }, logprobs: nil, finish_reason: nil }], usage: nil,
          obfuscation: "k2Yw7"
        }
        "data: #{JSON.generate(chunk)}\n\n"
      end

      # Answers from a recording; see Recording for the file and for how answers are found. Where the file is missing and `from` is given, a
      # Streamer::Client of the real service, requests go there, and what it answers is recorded (Recorder; redact: Strings that must not
      # be in the file). replay: as in Exchange#replay.
      def self.recorded(path, from: nil, redact: [], tls: false, **replay)
        if File.exist?(path)
          recording = Recording.load(path)
          new(tls: tls) { |exchange| exchange.replay(recording, **replay) }
        elsif from
          new(tls: tls, &Recorder.new(path, from, redact: redact))
        else
          raise ArgumentError, "there is no recording #{path}; with from: a Streamer::Client it is made"
        end
      end

      # A blocking fiber: no scheduler's hooks, neither a child's copy of the parent's nor those of an async that is too new for Ruby 3.1.
      def self.without_scheduler(&block) = Fiber.new(blocking: true, &block).resume

      # A port of loopback that takes no connection: its queue is full. Yields the URL.
      def self.blackhole
        server = Socket.new(:INET, :STREAM)
        server.bind(Addrinfo.tcp("127.0.0.1", 0))
        server.listen(0)
        address = server.local_address
        fillers = Array.new(4) { Socket.new(:INET, :STREAM).tap { |socket| socket.connect_nonblock(address, exception: false) } }
        yield "http://127.0.0.1:#{address.ip_port}"
      ensure
        [server, *fillers].compact.each(&:close)
      end

      # A port of loopback on which nobody listens.
      def self.refused_url
        server = TCPServer.new("127.0.0.1", 0)
        "http://127.0.0.1:#{server.addr[1]}"
      ensure
        server.close
      end

      # What arrived, in order: an Array of Request.
      attr_reader :requests

      # `script` answers every path without one of its own; the default is 404. `tls`: true for https, see Certificates;
      # :mutual to insist on a client's certificate.
      def initialize(tls: false, &script)
        @tls = tls
        @scripts = Hash.new(script || ->(exchange) { exchange.answer("no script", status: 404) })
        @requests = []
        @lock = Mutex.new
        @accepted = 0
        @threads = []
        @server = TCPServer.new("127.0.0.1", 0)
        @acceptor = Thread.new { accept }
      end

      # Answers this path, with a query or without one, by a script of its own. Returns self.
      def on(path, &script)
        @scripts[path] = script
        self
      end

      # Under TLS the certificate names localhost.
      def url(path = "") = "#{@tls ? "https://localhost" : "http://127.0.0.1"}:#{@server.local_address.ip_port}#{path}"

      # Connections accepted so far.
      def connections = @lock.synchronize { @accepted }

      # The last request once `count` of them have arrived.
      def wait_request(count = 1, timeout: 10)
        deadline = Upstream.now + timeout
        sleep 0.002 until requests.size >= count || Upstream.now > deadline
        requests.fetch(count - 1)
      end

      # Ends the server and all connections; raises what a script has raised.
      def stop
        Upstream.without_scheduler do
          @acceptor.kill.join # before its socket is closed: in Ruby 3.3 that close, from a fiber, would never return
          @server.close
          @lock.synchronize { @threads.dup }.each { |thread| thread.kill.join }
        end
        raise @failure if @failure
      end

      private

      def accept
        loop do
          socket = @server.accept
          @lock.synchronize do
            @accepted += 1
            number = @accepted
            @threads.select!(&:alive?)
            @threads << Thread.new { serve(socket, number) }
          end
        end
      rescue IOError, Errno::EBADF
        nil # stopped
      end

      def serve(plain, number)
        plain.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, true)
        socket = @tls ? secure(plain) : plain
        while (request = read_request(socket, number))
          @lock.synchronize { @requests << request }
          run(socket, request)
          break if socket.closed? || plain.closed? || request.headers["connection"]&.casecmp?("close")
        end
      rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
        nil # the client left between two requests, or would not shake hands
      ensure
        plain.close
      end

      def run(socket, request)
        @scripts[request.path].call(Exchange.new(self, socket, request))
      rescue Gone
        request.gone(Upstream.now)
        socket.to_io.close
      rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
        raise
      rescue StandardError => error
        @failure ||= error
        socket.to_io.close
      end

      def secure(plain)
        context = OpenSSL::SSL::SSLContext.new
        context.cert = Certificates.server_certificate
        context.key = Certificates.server_key
        if @tls == :mutual
          context.ca_file = Certificates.ca_file
          context.verify_mode = OpenSSL::SSL::VERIFY_PEER | OpenSSL::SSL::VERIFY_FAIL_IF_NO_PEER_CERT
        end
        OpenSSL::SSL::SSLSocket.new(plain, context).tap { |socket| socket.sync_close = true }.accept
      end

      def read_request(socket, number)
        line = socket.gets("\r\n") or return
        method, target, = line.split
        headers = {}
        while (field = socket.gets("\r\n")&.chomp) && !field.empty?
          name, value = field.split(/:\s*/, 2)
          headers[name.downcase] = value
        end
        socket.write("HTTP/1.1 100 Continue\r\n\r\n") if headers["expect"] == "100-continue"
        Request.new(method, target, headers, read_body(socket, headers), number)
      end

      def read_body(socket, headers)
        return socket.read(headers["content-length"].to_i) unless headers["transfer-encoding"] == "chunked"

        body = +""
        while (size = socket.gets("\r\n").to_i(16)).positive?
          body << socket.read(size)
          socket.gets("\r\n")
        end
        socket.gets("\r\n")
        body
      end
    end
  end
end
