# frozen_string_literal: true

require "socket"

# The Rack application of Peer's Ruby servers: passes each request on to the port of loopback that BACKEND names, and its response back, piece
# by piece.
module PeerApp
  # A chunked body, or one that ends with the connection.
  class Body
    def initialize(socket, chunked)
      @socket, @chunked = socket, chunked
    end

    def each
      return yield @socket.read unless @chunked

      while (size = @socket.gets.to_s.to_i(16)).positive?
        yield @socket.read(size)
        @socket.gets
      end
    end

    def close = @socket.close
  end

  def self.call(env)
    socket = TCPSocket.new("127.0.0.1", Integer(ENV.fetch("BACKEND")))
    body = env["rack.input"]&.read.to_s
    target = [env["PATH_INFO"], env["QUERY_STRING"]].reject(&:empty?).join("?")
    socket.write("#{env["REQUEST_METHOD"]} #{target} HTTP/1.1\r\nhost: backend\r\nconnection: close\r\n" \
                 "content-length: #{body.bytesize}\r\n\r\n", body)
    status = socket.gets.split[1].to_i
    head = {}
    while (line = socket.gets.chomp) != ""
      name, value = line.split(": ", 2)
      head[name] = value
    end
    [status, head.slice("content-type"), Body.new(socket, head["transfer-encoding"] == "chunked")]
  end
end
