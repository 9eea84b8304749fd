# frozen_string_literal: true

require "socket"

# Stands between the browsers and a web server for one purpose: to be pulled. Every connection is cut then, and for a while there is no
# other, as when a laptop sleeps or a train goes into a tunnel.
class Plug
  # A closed socket says RST, not FIN.
  ABRUPT = [1, 0].pack("ii").freeze

  # What of the server or the browser has gone away.
  GONE = [SystemCallError, IOError].freeze

  attr_reader :inner_port

  def initialize(port)
    @listener = TCPServer.new("127.0.0.1", port)
    @inner_port = TCPServer.open("127.0.0.1", 0) { |probe| probe.local_address.ip_port }
    @lock = Mutex.new
    @sockets = []
    @back_at = 0
  end

  def url = "http://127.0.0.1:#{@listener.local_address.ip_port}"

  # Whether the web server is there.
  def live?
    TCPSocket.open("127.0.0.1", @inner_port, &:close)
    true
  rescue SystemCallError
    false
  end

  def open
    Thread.new { loop { accept(@listener.accept) } }
  end

  # For so many seconds. The answer to whoever asked for it goes through before.
  def pull(seconds)
    Thread.new do
      sleep 0.2
      @back_at = now + seconds
      @lock.synchronize { @sockets.dup }.each { |socket| cut(socket) }
    end
  end

  private

  def accept(browser)
    return cut(browser) if now < @back_at

    server = TCPSocket.new("127.0.0.1", @inner_port)
    pair = [browser, server]
    @lock.synchronize { @sockets.concat(pair) }
    pair.each { |socket| socket.setsockopt(:TCP, :NODELAY, true) }
    [pair, pair.reverse].each { |from, to| Thread.new { carry(from, to) } }
  rescue *GONE
    browser.close
  end

  def carry(from, to)
    loop { to.write(from.readpartial(65_536)) }
  rescue *GONE
    [from, to].each { |socket| forget(socket) }
  end

  def forget(socket)
    @lock.synchronize { @sockets.delete(socket) }
    socket.close
  end

  # shutdown wakes the threads that wait for it.
  def cut(socket)
    socket.setsockopt(:SOCKET, :LINGER, ABRUPT)
    socket.shutdown
    forget(socket)
  rescue *GONE
    nil
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
