# frozen_string_literal: true

require "fileutils"
require "rbconfig"
require "tmpdir"
require_relative "ports"
require_relative "upstream"

# A real https server in a process of its own, on loopback as "localhost", that passes requests on to an Upstream in this process.
#
#   peer = Peer.shared(:nginx, "2.0")     # one per server, protocol and test run, stopped at the end of the run
#   peer = Peer.new(:caddy, "1.1")        # one to be stopped or restarted by a test
#   peer.url("/events")
#   peer.backend.on("/events") { |exchange| ... }
#   peer.connections                      # how many connections it has now
#   peer.restart, peer.reload, peer.stop
#
# protocol: "1.1" or "2.0", the only one that it offers. How each server is told all this is in peer_commands.rb.
class Peer
  READY_SECONDS = 60

  def self.shared(kind, protocol, **options)
    @shared ||= {}
    @shared[[kind, protocol, options]] ||= new(kind, protocol, **options).tap { |peer| Minitest.after_run { peer.stop } }
  end

  attr_reader :kind, :protocol, :port, :directory, :backend

  # keep_alive: seconds after which it closes an idle connection. tls: false for plain HTTP, which nginx can be told.
  def initialize(kind, protocol, keep_alive: 60, tls: true)
    @kind, @protocol, @keep_alive, @tls = kind, protocol, keep_alive, tls
    @directory = Dir.mktmpdir("streamer-peer")
    File.chmod(0o755, @directory) # servers that give up root still have to get in
    @port = Ports.free
    @backend = Upstream.new { |exchange| exchange.openai(tokens: 3) }
    @command = PeerCommands.of(self)
    start
  end

  def url(path = "") = "#{tls? ? "https" : "http"}://localhost:#{port}#{path}"

  def client(**options) = Streamer::Client.new(url, tls: { ca_file: Certificates.ca_file }, **options)

  def http2? = protocol == "2.0"
  def tls? = @tls

  # For the commands.
  attr_reader :keep_alive

  def backend_port = URI(backend.url).port

  def file(name, content = nil)
    path = File.join(directory, name)
    return path unless content

    FileUtils.mkdir_p(File.dirname(path))
    File.write(path, content)
    path
  end

  # Connections that are established, as the system knows them.
  def connections = self.class.established(port)

  def self.established(port)
    %w[/proc/net/tcp /proc/net/tcp6].sum do |table|
      File.foreach(table).count do |line|
        _, local, _, state = line.split
        state == "01" && local.end_with?(format(":%04X", port))
      end
    end
  end

  def reload = PeerCommands.reload(self)

  def signal(name) = Process.kill(name, @pid)

  def restart(signal = :TERM)
    end_process(signal)
    start
  end

  def stop
    Upstream.without_scheduler do
      end_process
      @backend.stop
      FileUtils.remove_entry(@directory)
    end
  end

  def log = Upstream.without_scheduler { File.read(log_file) }

  private

  def log_file = file("log")

  def start
    Upstream.without_scheduler do
      variables, *command = @command
      @pid = Process.spawn(variables, *command, chdir: directory, in: File::NULL, out: [log_file, "a"], err: [:child, :out])
      wait_ready
    end
  end

  def end_process(signal = :TERM)
    Process.kill(signal, @pid)
    deadline = Upstream.now + 1 # some wait for the streams that are under way
    until Process.wait(@pid, Process::WNOHANG)
      Process.kill(:KILL, @pid) if Upstream.now > deadline
      sleep 0.01
    end
  end

  def wait_ready
    deadline = Upstream.now + READY_SECONDS
    TCPSocket.new("127.0.0.1", port).close
  rescue Errno::ECONNREFUSED
    raise "#{kind} has ended:\n#{log}" if Process.wait(@pid, Process::WNOHANG)
    raise "#{kind} was not ready:\n#{log}" if Upstream.now > deadline

    sleep 0.02
    retry
  end
end

require_relative "peer_commands"
