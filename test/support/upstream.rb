# frozen_string_literal: true

require "json"
require "openssl"
require "socket"
require "uri"
require "zlib"
require_relative "certificates"

# An HTTP/1.1 server on loopback that answers as the test says, well or badly, and remembers what it saw.
#
#   upstream = Upstream.new { |exchange| exchange.openai(tokens: 3, every: 0.01) }
#   upstream.on("/stall") { |exchange| exchange.head.stall }
#   upstream.url("/stall")                # "http://127.0.0.1:41234/stall"
#   upstream.requests.last.headers["x"]   # what arrived
#   upstream.requests.last.wait_gone      # seconds (monotonic) at which the client was seen to leave
#   upstream.stop
#
# One thread per connection, plain blocking sockets, and no library between the test and the bytes. A script is a block that gets
# an Exchange; when the client leaves while a script writes or waits, the script ends. A script that returns without `close`
# or `reset` keeps the connection for the next request.
class Upstream
  Gone = Class.new(StandardError)

  # What arrived. Header names in lower case.
  class Request
    attr_reader :method, :target, :headers, :body, :connection

    def initialize(method, target, headers, body, connection)
      @method, @target, @headers, @body, @connection = method, target, headers, body, connection
      @gone = Thread::Queue.new
    end

    def path = target[/\A[^?]*/]
    def query = URI.decode_www_form(target[/\?(.*)/, 1].to_s).to_h
    def gone(moment) = @gone << moment
    def gone? = !@gone.empty?

    # The monotonic time at which the client was seen to leave; nil when it did not within `timeout` seconds.
    def wait_gone(timeout = 2)
      deadline = Upstream.now + timeout
      sleep 0.002 until gone? || Upstream.now > deadline
      gone? ? @gone.pop.tap { |moment| @gone << moment } : nil
    end
  end

  # One request and the means to answer it. The methods that write return self, so they chain.
  class Exchange
    attr_reader :request, :sent, :upstream

    def initialize(upstream, socket, request)
      @upstream, @socket, @request = upstream, socket, request
      @sent = 0
      @chunked = false
    end

    # --- whole answers ---

    def answer(body = "", status: 200, type: "text/plain", headers: {})
      raw("#{status_line(status)}#{fields({ "content-type" => type, "content-length" => body.bytesize }.merge(headers))}\r\n#{body}")
    end

    def json(object, status: 200, headers: {})
      answer(JSON.generate(object), status: status, type: "application/json", headers: headers)
    end

    # A JSON object of what arrived.
    def echo
      json({ method: request.method, target: request.target, headers: request.headers,
             body: request.body.dup.force_encoding("UTF-8").scrub, bytes: request.body.bytesize })
    end

    def redirect(location, status: 302) = answer("", status: status, headers: { "location" => location })

    # Frames as an event stream, `every` seconds apart; `split` cuts each frame into chunks of so many bytes.
    def stream(frames, every: 0, split: nil, headers: {})
      head(headers: headers)
      frames.each_with_index do |frame, index|
        pause(every) if every.positive? && index.positive?
        pieces(frame, split).each { |piece| chunk(piece) }
      end
      finish
    end

    # An OpenAI chat completion of `tokens` tokens: "t0 ", "t1 ", ...
    def openai(tokens: 3, every: 0, split: nil)
      frames = (0..tokens).lazy.map { |number| number < tokens ? Upstream.token(number) : "data: [DONE]\n\n" }
      stream(frames, every: every, split: split)
    end

    # --- parts of an answer ---

    # Status line and headers of a chunked body.
    def head(status: 200, type: "text/event-stream", headers: {})
      @chunked = true
      raw("#{status_line(status)}#{fields({ "content-type" => type, "transfer-encoding" => "chunked" }.merge(headers))}\r\n")
    end

    def chunk(bytes)
      return self if bytes.empty?

      raw("#{bytes.bytesize.to_s(16)}\r\n#{bytes}\r\n")
    end

    def finish = raw("0\r\n\r\n")

    # Bytes as they are.
    def raw(bytes)
      0.step(bytes.bytesize - 1, 16_384) { |offset| @sent += @socket.write(bytes.byteslice(offset, 16_384)) }
      self
    rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
      raise Gone
    end

    # Waits, and notices at once when the client leaves.
    def pause(seconds)
      deadline = Upstream.now + seconds
      while (left = deadline - Upstream.now).positive?
        raise Gone if @socket.to_io.wait_readable(left) && left?
      end
      self
    end

    # --- faults ---

    # Says nothing until the client leaves or the server stops.
    def stall = pause(3600)

    # Closes as a process that ends does: FIN, whatever the framing promised.
    def close
      @socket.close
      self
    end

    # Closes with RST.
    def reset
      @socket.to_io.setsockopt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 0].pack("ii"))
      @socket.to_io.close
      self
    end

    # Header fields without an end.
    def headers_for_ever
      raw("HTTP/1.1 200 OK\r\n")
      0.step { |number| raw("x-filler-#{number}: #{"f" * 900}\r\n") }
    end

    # One `data` line of so many bytes, made as it is sent.
    def endless_line(bytes = 2 << 30)
      head.chunk("data: ")
      block = "x" * 65_536
      (bytes / block.bytesize).times { chunk(block) }
      chunk("\n\n").finish
    end

    # The status line and headers, one byte every `every` seconds.
    def slow_head(every:)
      @chunked = true
      head = "#{status_line(200)}content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
      head.each_char { |character| raw(character).pause(every) }
      self
    end

    # The frames, compressed, as a proxy does that was not asked.
    def gzip(frames)
      answer(Zlib.gzip(frames.join), type: "text/event-stream", headers: { "content-encoding" => "gzip" })
    end

    private

    REASONS = { 200 => "OK", 204 => "No Content", 301 => "Moved Permanently", 302 => "Found", 303 => "See Other",
                307 => "Temporary Redirect", 308 => "Permanent Redirect", 404 => "Not Found",
                429 => "Too Many Requests", 500 => "Internal Server Error", 503 => "Service Unavailable" }.freeze
    private_constant :REASONS

    def status_line(status) = "HTTP/1.1 #{status} #{REASONS.fetch(status)}\r\n"
    def fields(headers) = headers.map { |name, value| "#{name}: #{value}\r\n" }.join

    def pieces(frame, split)
      split ? frame.b.scan(/.{1,#{split}}/mn) : [frame]
    end

    # A client in the middle of an answer sends nothing, so readable means that it left (or, under TLS, said so).
    def left?
      return @socket.read_nonblock(1, exception: false).nil? if @socket.is_a?(OpenSSL::SSL::SSLSocket)

      @socket.recv_nonblock(1, Socket::MSG_PEEK, exception: false).then { |bytes| bytes.nil? || bytes == "" }
    rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
      true
    end
  end

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

  # The same server in a process of its own, so that it neither shares nor waits for the test's GVL. It ends with `stop`, and with
  # the process that started it. It remembers nothing for the test.
  def self.in_process(**options, &script)
    url_reader, url_writer = IO.pipe
    life_reader, life_writer = IO.pipe
    pid = fork do
      life_writer.close
      url_writer.puts(new(**options, &script).url)
      without_scheduler { life_reader.read }
    ensure
      exit!(0)
    end
    [url_writer, life_reader].each(&:close)
    Child.new(pid, without_scheduler { url_reader.gets.chomp }, life_writer)
  ensure
    url_reader&.close
  end

  # A blocking fiber: no scheduler's hooks, neither a child's copy of the parent's nor those of an async that is too new for Ruby 3.1.
  def self.without_scheduler(&block) = Fiber.new(blocking: true, &block).resume

  Child = Struct.new(:pid, :base, :life) do
    def url(path = "") = "#{base}#{path}"

    def stop
      life.close
      Process.wait(pid)
    end
  end

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

  attr_reader :requests

  # `script` answers every path without one of its own; the default is 404. `tls`: true for https, see Certificates; :mutual to insist on
  # a client's certificate.
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

  def on(path, &script)
    @scripts[path] = script
    self
  end

  # Under TLS the certificate names localhost.
  def url(path = "") = "#{@tls ? "https://localhost" : "http://127.0.0.1"}:#{@server.local_address.ip_port}#{path}"

  # Connections accepted so far.
  def connections = @lock.synchronize { @accepted }

  # The last request once `count` of them have arrived.
  def wait_request(count = 1, timeout: 2)
    deadline = Upstream.now + timeout
    sleep 0.002 until requests.size >= count || Upstream.now > deadline
    requests.fetch(count - 1)
  end

  def stop
    Upstream.without_scheduler do
      @acceptor.kill.join # before its socket is closed: in Ruby 3.3 that close, from a fiber, would never return
      @server.close
      @lock.synchronize { @threads.dup }.each { |thread| thread.kill.join }
    end
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
