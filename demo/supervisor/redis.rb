# frozen_string_literal: true

require "socket"

# A Redis of the demo's own, which keeps nothing.
class Redis
  Missing = Class.new(StandardError)

  # Debian has the server's program, under another name, in the package that brings no service.
  PROGRAMS = %w[redis-server valkey-server redis-check-rdb].freeze

  def initialize(directory)
    @directory = directory
    @port = TCPServer.open("127.0.0.1", 0) { |probe| probe.local_address.ip_port }
  end

  def url = "redis://127.0.0.1:#{@port}/0"

  # The program looks at the name that it is called by.
  def command
    [[program, "redis-server"], "--bind", "127.0.0.1", "--port", @port.to_s, "--dir", @directory, "--save", "", "--loglevel", "warning"]
  end

  def wait
    TCPSocket.open("127.0.0.1", @port, &:close)
  rescue Errno::ECONNREFUSED
    sleep 0.05
    retry
  end

  private

  def program
    folders = ENV["PATH"].split(":")
    PROGRAMS.product(folders).map { |name, folder| File.join(folder, name) }.find { |path| File.executable?(path) } ||
      raise(Missing, "--redis needs redis-server: apt-get install redis-tools, or brew install redis")
  end
end
