# frozen_string_literal: true

require "fileutils"
require "net/http"
require "rbconfig"
require "tmpdir"
require "support/ports"

# The demo as bin/demo starts it, set-up apart: its upstream and a server, :puma or :falcon, each in a process group of its own.
#
#   demo = DemoServer.shared(:puma)      # stopped at the end of the run
#   demo.url("/log/new")
#   demo.upstream_log                    # what the upstream printed
class DemoServer
  ROOT = File.expand_path("../..", __dir__)
  READY_SECONDS = 120
  STOP_SECONDS = 20

  Late = Class.new(StandardError)

  def self.shared(kind)
    @shared ||= {}
    @shared[kind] ||= new(kind).tap { |demo| Minitest.after_run { demo.stop } }
  end

  def initialize(kind)
    @directory = Dir.mktmpdir("streamer-demo")
    @pids = []
    start("upstream", RbConfig.ruby, "upstream.rb")
    upstream = within(READY_SECONDS, "the upstream's URL") { upstream_log[/^http\S+/] }
    @port = Ports.free
    start("server", RbConfig.ruby, "-S", *command(kind), variables: { "RAILS_ENV" => "development", "UPSTREAM_URL" => upstream })
    within(READY_SECONDS, "#{kind}'s first page") { ready? }
  rescue StandardError
    stop
    raise
  end

  def url(path = "/") = "http://127.0.0.1:#{@port}#{path}"
  def upstream_log = File.read(log("upstream"))

  def stop
    @pids.reverse_each { |pid| finish(pid) }
    FileUtils.remove_entry(@directory)
  end

  private

  def command(kind)
    case kind
    when :puma then ["puma", "--quiet", "--config", "config/puma.rb", "--bind", url(nil).sub("http", "tcp"), "config.ru"]
    when :falcon then ["falcon", "serve", "--count", "1", "--bind", url(nil), "--config", "config.ru"]
    else raise ArgumentError, "no such server: #{kind}"
    end
  end

  def start(name, *command, variables: {})
    @pids << Process.spawn(variables, *command, chdir: File.join(ROOT, "demo"), pgroup: true,
                                                in: File::NULL, out: log(name), err: [:child, :out])
  end

  def log(name) = File.join(@directory, name)

  def ready?
    if Process.wait(@pids.last, Process::WNOHANG)
      @pids.pop
      raise "the demo ended before it was ready:\n#{File.read(log("server"))}"
    end

    Net::HTTP.get_response(URI(url("/answer/new"))).is_a?(Net::HTTPOK)
  rescue SystemCallError, EOFError
    false
  end

  def within(seconds, what)
    deadline = now + seconds
    until (value = yield)
      raise Late, "#{what}: not in #{seconds} s" if now > deadline

      sleep 0.05
    end
    value
  end

  def finish(pid)
    Process.kill(:INT, pid)
    within(STOP_SECONDS, "end of #{pid}") { Process.wait(pid, Process::WNOHANG) }
  rescue Late
    Process.kill(:KILL, -pid)
    Process.wait(pid)
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
