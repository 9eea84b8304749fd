# frozen_string_literal: true

require "json"
require "net/http"
require "rbconfig"
require "tmpdir"
require_relative "upstream"
require_relative "notes"
require_relative "ports"
require_relative "sse_client"

# A real application server in a process of its own, on a loopback port, with the application of rails_app.ru.
#
#   server = AppServer.new(:puma)                   # :puma_cluster (2 workers, preload_app!), :puma_tls, :falcon
#   server.get("/plain", "if-none-match" => etag)   # Net::HTTPResponse
#   server.stream("/events")                        # SSEClient
#   server.notes.wait("x", "ended")                 # what the application noted, see Notes
#   server.log                                      # everything the process printed
#   server.stop
#
# config: lines of Puma's configuration file. threads, preload: as Puma's options. variables: of the environment, see rails_app.rb.
# files: how many descriptors it may have open. graceful: seconds that Falcon gives its requests to end in, 1 if nobody says otherwise.
#
# app: another rackup file.
#
# AppServer.shared(kind) starts one per kind and test run, and stops it at the end.
class AppServer
  ROOT = File.expand_path("../..", __dir__)
  APP = File.expand_path("rails_app.ru", __dir__)
  READY_SECONDS = 120
  STOP_SECONDS = 20

  Late = Class.new(StandardError)

  def self.shared(kind)
    @shared ||= {}
    @shared[kind] ||= new(kind).tap { |server| Minitest.after_run { server.stop } }
  end

  attr_reader :kind, :port, :pid, :notes

  def initialize(kind, config: nil, threads: "5:5", preload: true, variables: {}, files: nil, graceful: 1, app: APP)
    @kind = kind
    @preload = preload
    @graceful = graceful
    @config = config
    @app = app
    @threads = threads
    @port = Ports.free
    @directory = Dir.mktmpdir("streamer-app")
    @notes = Notes.new(File.join(@directory, "notes"))
    variables = { "RAILS_ENV" => "test", "DIRECTORY" => @directory, "CONSOLE_LEVEL" => "warn",
                  "ISOLATION" => kind == :falcon ? "fiber" : "thread" }.merge(variables)
    limits = files ? { rlimit_nofile: files } : {}
    @pid = Process.spawn(variables, *command, chdir: ROOT, in: File::NULL, out: log_path, err: [:child, :out], **limits)
    wait_ready
  end

  def get(path, headers = {})
    options = { open_timeout: 20, read_timeout: 20, use_ssl: tls?, verify_mode: OpenSSL::SSL::VERIFY_NONE }
    Net::HTTP.start("127.0.0.1", @port, options) { |http| http.get(path, headers) }
  end

  def stream(path, **options) = SSEClient.new(@port, path, tls: tls?, **options)

  def log = File.read(log_path)

  # Tells it to end.
  def signal(name) = Process.kill(name, @pid)

  # Seconds until it has ended; nil when it does not within `timeout`.
  def wait_end(timeout = STOP_SECONDS)
    start = now
    sleep 0.02 until (@ended ||= Process.wait(@pid, Process::WNOHANG)) || now > start + timeout
    now - start if @ended
  end

  def stop
    signal(:INT) unless @ended
    return if wait_end

    signal(:KILL)
    Process.wait(@pid)
  ensure
    FileUtils.remove_entry(@directory)
  end

  private

  def tls? = kind == :puma_tls

  def command
    ruby = [RbConfig.ruby, "-W0", "-I#{File.join(ROOT, "lib")}"]
    puma = [*ruby, "-r#{File.join(__dir__, "puma_shutdown")}", "-S", "puma"]
    case kind
    when :puma then [*puma, *puma("tcp://127.0.0.1:#{@port}")]
    when :puma_cluster then [*puma, "--workers", "2", *("--preload" if @preload), *puma("tcp://127.0.0.1:#{@port}")]
    when :puma_tls then [*puma, *puma("ssl://127.0.0.1:#{@port}?#{certificate}")]
    when :falcon
      [*ruby, "-S", "falcon", "serve", "--bind", "http://127.0.0.1:#{@port}", "--count", "1", "--graceful-stop", @graceful.to_s, "--config", @app]
    else raise ArgumentError, "no such server: #{kind}"
    end
  end

  def puma(bind) = [*puma_config, "--bind", bind, "--threads", @threads, @app]

  def puma_config
    return ["--no-config"] unless @config

    path = File.join(@directory, "puma.rb")
    File.write(path, @config)
    ["--config", path]
  end

  def certificate
    key = File.join(@directory, "key.pem")
    certificate = File.join(@directory, "certificate.pem")
    File.write(key, Certificates.server_key.to_pem)
    File.write(certificate, Certificates.server_certificate.to_pem)
    "key=#{key}&cert=#{certificate}"
  end

  def wait_ready
    deadline = now + READY_SECONDS
    begin
      get("/up")
    rescue SystemCallError, IOError, Net::OpenTimeout, Net::ReadTimeout, OpenSSL::SSL::SSLError
      raise "#{kind} ended before it was ready:\n#{log}" if Process.wait(@pid, Process::WNOHANG)
      raise Late, "#{kind} was not ready in #{READY_SECONDS} s:\n#{log}" if now > deadline

      sleep 0.05
      retry
    end
  end

  def log_path = File.join(@directory, "log")
  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
