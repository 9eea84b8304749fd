# frozen_string_literal: true

require "socket"

# In front of a database server: hands everything on, until it is told to lose an answer.
#
#   proxy = CuttingProxy.new("127.0.0.1", 5432)
#   proxy.lose_answer_to("COMMIT")   # the server gets it, and what it answers reaches nobody: the connection is cut
#   proxy.lost                       # how many answers it has lost
#   proxy.stop
class CuttingProxy
  attr_reader :port, :lost

  def initialize(host, port)
    @target = [host, port]
    @server = TCPServer.new("127.0.0.1", 0)
    @port = @server.local_address.ip_port
    @pattern = nil
    @lost = 0
    @sockets = []
    @thread = Thread.new { accept }
  end

  def lose_answer_to(pattern) = @pattern = pattern

  # All connections, as a failing network does.
  def cut = @sockets.dup.each { |socket| close(socket) }

  def stop
    @server.close
    @thread.join
    cut
  end

  private

  def accept
    loop do
      client = @server.accept
      Thread.new { relay(client) }
    end
  rescue IOError, SystemCallError
    nil # stopped
  end

  def relay(client)
    server = TCPSocket.new(*@target)
    @sockets.push(client, server)
    doomed = false
    while (ready, = IO.select([client, server]))
      ready.each do |socket|
        bytes = socket.readpartial(65_536)
        if socket == client
          doomed ||= @pattern && bytes.b.include?(@pattern)
          server.write(bytes)
        elsif doomed
          @pattern = nil
          @lost += 1
          return
        else
          client.write(bytes)
        end
      end
    end
  rescue IOError, SystemCallError
    nil # one of them is gone
  ensure
    close(client)
    close(server) if server
  end

  def close(socket)
    @sockets.delete(socket)
    socket.close unless socket.closed?
  rescue IOError
    nil
  end
end
