# frozen_string_literal: true

require "json"
require "net/http"
require "rbconfig"
require "tmpdir"
require_relative "notes"
require_relative "sse_client"

# A real application server in a process of its own, on a loopback port, with the application of rails_app.ru.
#
#   server = AppServer.new(:puma, threads: "5:5")   # :puma, :puma_cluster (2 workers, preload_app!), :falcon
#   server.get("/plain", "if-none-match" => etag)   # Net::HTTPResponse
#   server.stream("/events")                        # SSEClient
#   server.notes.wait("x", "ended")                 # what the application noted, see Notes
#   server.log                                      # everything the process printed
#   server.stop
#
# AppServer.shared(kind) starts one per kind and test run, and stops it at the end.
class AppServer
  ROOT = File.expand_path("../..", __dir__)
  APP = File.expand_path("rails_app.ru", __dir__)
  READY_SECONDS = 40
  STOP_SECONDS = 8

  Late = Class.new(StandardError)

  def self.shared(kind)
    @shared ||= {}
    @shared[kind] ||= new(kind).tap { |server| Minitest.after_run { server.stop } }
  end

  attr_reader :kind, :port, :pid, :notes

  def initialize(kind, threads: "5:5")
    @kind = kind
    @port = TCPServer.open("127.0.0.1", 0) { |probe| probe.local_address.ip_port }
    @directory = Dir.mktmpdir("streamer-app")
    @notes = Notes.new(File.join(@directory, "notes"))
    variables = { "RAILS_ENV" => "test", "DIRECTORY" => @directory, "CONSOLE_LEVEL" => "warn",
                  "ISOLATION" => kind == :falcon ? "fiber" : "thread" }
    @pid = Process.spawn(variables, *command(threads), chdir: ROOT, in: File::NULL, out: log_path, err: [:child, :out])
    wait_ready
  end

  def get(path, headers = {})
    Net::HTTP.start("127.0.0.1", @port, open_timeout: 5, read_timeout: 5) { |http| http.get(path, headers) }
  end

  def stream(path, **options) = SSEClient.new(@port, path, **options)

  def log = File.read(log_path)

  def stop
    Process.kill(:INT, @pid)
    deadline = now + STOP_SECONDS
    sleep 0.02 until (ended = Process.wait(@pid, Process::WNOHANG)) || now > deadline
    return if ended

    Process.kill(:KILL, @pid)
    Process.wait(@pid)
  ensure
    FileUtils.remove_entry(@directory)
  end

  private

  def command(threads)
    ruby = [RbConfig.ruby, "-W0", "-I#{File.join(ROOT, "lib")}", "-S"]
    case kind
    when :puma then [*ruby, "puma", *puma(threads)]
    when :puma_cluster then [*ruby, "puma", "--workers", "2", "--preload", *puma(threads)]
    when :falcon then [*ruby, "falcon", "serve", "--bind", "http://127.0.0.1:#{@port}", "--count", "1", "--config", APP]
    end
  end

  def puma(threads) = ["--no-config", "--bind", "tcp://127.0.0.1:#{@port}", "--threads", threads, APP]

  def wait_ready
    deadline = now + READY_SECONDS
    begin
      get("/up")
    rescue SystemCallError, IOError, Net::OpenTimeout, Net::ReadTimeout
      raise "#{kind} ended before it was ready:\n#{log}" if Process.wait(@pid, Process::WNOHANG)
      raise Late, "#{kind} was not ready in #{READY_SECONDS} s:\n#{log}" if now > deadline

      sleep 0.05
      retry
    end
  end

  def log_path = File.join(@directory, "log")
  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
