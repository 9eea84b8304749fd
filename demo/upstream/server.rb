# frozen_string_literal: true

require "json"
require "socket"
require "uri"

# As much HTTP/1.1 as the demo's upstream needs: one thread per connection, keep-alive, JSON bodies, chunked streams.
# Written out by hand so that it can also behave badly: a server library would not let us break off mid-stream.
class Server
  Request = Struct.new(:path, :params, :headers, :body, keyword_init: true) do
    def json = JSON.parse(body)
    def number(name, default) = Float(params.fetch(name, default))
  end

  # The handler is called with a Request and a Reply, in the connection's own thread.
  def initialize(&handler)
    @handler = handler
  end

  # Returns the port, which port 0 leaves to the system.
  def listen(host, port)
    @listener = TCPServer.new(host, port)
    @listener.addr[1]
  end

  def run
    loop { Thread.new(@listener.accept) { |socket| serve(socket) } }
  end

  private

  def serve(socket)
    socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
    while (request = read_request(socket))
      reply = Reply.new(socket)
      begin
        @handler.call(request, reply)
      rescue JSON::ParserError, KeyError, ArgumentError => error
        reply.json({ error: { message: error.message } }, status: 400)
      end
    end
  rescue SystemCallError, IOError, Reply::BrokenOff
    # The other side left, or this side was asked to. Either way the connection is over.
  ensure
    socket.close
  end

  def read_request(socket)
    request_line = socket.gets("\r\n", chomp: true) or return
    path, query = request_line.split(" ")[1].split("?", 2)
    headers = {}
    until (line = socket.gets("\r\n", chomp: true)).to_s.empty?
      name, value = line.split(":", 2)
      headers[name.downcase] = value.strip
    end
    Request.new(path:, params: URI.decode_www_form(query.to_s).to_h, headers:,
                body: socket.read(headers["content-length"].to_i))
  end

  # What a handler answers with: `json` once, or `stream` once.
  class Reply
    BrokenOff = Class.new(StandardError)

    def initialize(socket)
      @socket = socket
    end

    def json(object, status: 200)
      body = JSON.generate(object)
      @socket.write("HTTP/1.1 #{status} #{status == 200 ? "OK" : "Error"}\r\nContent-Type: application/json\r\n" \
                    "Content-Length: #{body.bytesize}\r\n\r\n#{body}")
    end

    # Yields self; `event` may be called until the block returns.
    def stream
      @socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n" \
                    "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n")
      yield self
      @socket.write("0\r\n\r\n")
    end

    def event(data, type: nil, id: nil)
      data = JSON.generate(data) unless data.is_a?(String)
      frame = "#{"event: #{type}\n" if type}#{"id: #{id}\n" if id}data: #{data}\n\n"
      @socket.write("#{frame.bytesize.to_s(16)}\r\n#{frame}\r\n")
    end

    # Ends the connection without the last chunk, as a crashed upstream does.
    def break_off = raise(BrokenOff)
  end
end
