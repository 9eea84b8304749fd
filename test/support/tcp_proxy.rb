# frozen_string_literal: true

require "socket"

# Stands before a server on loopback, and passes on what both sides send until it is told otherwise.
#
#   proxy.cut_next_answer      the next answer does not come: its connection breaks
#   proxy.hold                 answers wait until proxy.let_go
#   proxy.held?                whether one does
class TCPProxy
  def initialize(target)
    @target = target
    @server = TCPServer.new("127.0.0.1", 0)
    @lock = Mutex.new
    @changed = ConditionVariable.new
    @threads = [Thread.new { accept }]
  end

  def port = @server.local_address.ip_port

  def cut_next_answer = @cut = true

  def hold = @holding = true

  def held? = @held == true

  def let_go
    @lock.synchronize do
      @holding = @held = false
      @changed.broadcast
    end
  end

  def close
    @threads.each(&:kill).each(&:join)
    @server.close
  end

  private

  def accept
    loop do
      client = @server.accept
      upstream = TCPSocket.new("127.0.0.1", @target)
      @threads << Thread.new { pass(client, upstream) } << Thread.new { pass(upstream, client, answers: true) }
    end
  end

  def pass(from, into, answers: false)
    loop do
      bytes = from.readpartial(65_536)
      break if answers && cut?

      wait if answers
      into.write(bytes)
    end
  rescue IOError, SystemCallError
    nil
  ensure
    [from, into].each { |socket| socket.close unless socket.closed? }
  end

  def cut? = @cut.tap { @cut = false }

  def wait
    @lock.synchronize do
      while @holding
        @held = true
        @changed.wait(@lock)
      end
    end
  end
end
