# frozen_string_literal: true

require "etc"
require "json"
require "net/http"
require "rbconfig"
require "socket"
require "tmpdir"

require_relative "tools"

module Bench
  # The processes of a relay measurement: our upstream, the servers in between, and the load generator. Servers have the
  # first core to themselves, the tools the second, where there are two.
  #
  #   Servers.open do |servers|
  #     servers.puma.port      # likewise falcon, nginx and go; started at first use. nil where the program is missing
  #     servers.puma.get("/")  # String
  #     servers.load(servers.puma, "/path", streams: 10, tokens: 100, us: 20_000, limit: 30)   # loadgen's Hash
  #     servers.client("upstreams.rb", "tasks", 10)   # the Hash that a script of apps/ prints
  #   end                      # ends everything that was started
  class Servers
    ROOT = File.expand_path("../..", __dir__)
    APPS = File.expand_path("../apps", __dir__)
    READY_SECONDS = 40
    STOP_SECONDS = 5

    # Enough for 200 streams: Puma needs a thread for each stream that a controller's block writes.
    MANY_THREADS = "256:256"

    # Puma's own default; relay_events needs no more.
    FEW_THREADS = "5:5"

    Late = Class.new(StandardError)

    Server = Struct.new(:name, :pid, :port) do
      def get(path)
        Net::HTTP.start("127.0.0.1", port, open_timeout: 10, read_timeout: 30) { |http| http.get(path).body }
      end
    end

    # Ended by SIGTERM as well as by an exception.
    def self.open
      servers = new
      previous = trap(:TERM) { exit(143) }
      yield servers
    ensure
      servers&.stop
      trap(:TERM, previous) if previous
    end

    def initialize
      @directory = Dir.mktmpdir("streamer-bench")
      @servers = {}
      @pids = []
      @upstream = start_upstream
    end

    def puma = @servers[:puma] ||= start_puma("puma", MANY_THREADS)

    def puma_of_five = @servers[:puma_of_five] ||= start_puma("puma-5", FEW_THREADS)

    def falcon
      @servers[:falcon] ||= start("falcon", environment("fiber")) do |port|
        [*ruby, "falcon", "serve", "--bind", "http://127.0.0.1:#{port}", "--count", "1", "--config", app]
      end
    end

    def nginx
      return unless Tools.available?("nginx")

      @servers[:nginx] ||= start("nginx") do |port|
        settings = { "@UPSTREAM@" => "127.0.0.1:#{@upstream}", "@PORT@" => port.to_s }
        File.write(File.join(@directory, "nginx.conf"), File.read(File.join(APPS, "nginx.conf")).gsub(/@[A-Z]+@/, settings))
        ["nginx", "-p", @directory, "-c", "nginx.conf", "-e", "nginx.log"]
      end
    end

    def go
      program = Tools.go(File.join(APPS, "relay.go"))
      return unless program

      @servers[:go] ||= start("go") { |port| [program, "127.0.0.1:#{port}", upstream_url] }
    end

    def load(server, path, streams:, tokens:, us:, limit:)
      run("loadgen", [*on(1), Tools.c("loadgen"), server.port.to_s, "#{path}?n=#{tokens}&us=#{us}", streams.to_s, tokens.to_s,
                      limit.to_s, server.pid.to_s])
    end

    # What a script of apps/ has measured, on the servers' core.
    def client(script, *arguments)
      run(script, [*on(0), RbConfig.ruby, "-W0", "-I#{File.join(ROOT, "lib")}", File.join(APPS, script), upstream_url, *arguments.map(&:to_s)])
    end

    def stop
      @pids.each { |pid| Process.kill(:INT, pid) }
      @pids.each { |pid| reap(pid) }
      FileUtils.remove_entry(@directory)
    end

    private

    def upstream_url = "http://127.0.0.1:#{@upstream}"

    def app = File.join(APPS, "relay.ru")

    def ruby = [RbConfig.ruby, "-W0", "-I#{File.join(ROOT, "lib")}", "-S"]

    def environment(isolation)
      { "RAILS_ENV" => "production", "RACK_ENV" => "production", "ISOLATION" => isolation, "CONSOLE_LEVEL" => "error" }
    end

    def start_puma(name, threads)
      start(name, environment("thread")) do |port|
        [*ruby, "puma", "--quiet", "--no-config", "--bind", "tcp://127.0.0.1:#{port}", "--threads", threads, app]
      end
    end

    def start_upstream
      output, input = IO.pipe
      spawn({}, [*on(1), Tools.c("upstream")], out: input)
      input.close
      Integer(output.gets || raise("the upstream did not start"))
    ensure
      output&.close
    end

    def start(name, variables = {})
      port = TCPServer.open("127.0.0.1", 0) { |probe| probe.local_address.ip_port }
      log = File.join(@directory, "#{name}.log")
      pid = spawn({ "UPSTREAM" => upstream_url }.merge(variables), [*on(0), *yield(port)], out: log, err: %i[child out])
      wait_ready(name, pid, port, log)
      Server.new(name, pid, port)
    end

    # The JSON that a program prints.
    def run(name, command)
      output, input = IO.pipe
      pid = spawn({}, command, out: input)
      input.close
      found = output.read
      @pids.delete(Process.wait(pid))
      raise "#{name} failed" unless $?.success?

      JSON.parse(found, symbolize_names: true)
    ensure
      output&.close
    end

    # taskset becomes the program that it starts, so the pid is the program's.
    def spawn(variables, command, **streams)
      Process.spawn(variables, *command, chdir: ROOT, in: File::NULL, **streams).tap { |pid| @pids << pid }
    end

    def on(core)
      Etc.nprocessors > 1 && Tools.available?("taskset") ? ["taskset", "-c", core.to_s] : []
    end

    def wait_ready(name, pid, port, log)
      deadline = now + READY_SECONDS
      begin
        TCPSocket.new("127.0.0.1", port).close
      rescue SystemCallError
        raise "#{name} ended before it was ready:\n#{File.read(log)}" if @pids.delete(Process.wait(pid, Process::WNOHANG))
        raise Late, "#{name} was not ready in #{READY_SECONDS} s:\n#{File.read(log)}" if now > deadline

        sleep 0.05
        retry
      end
    end

    def reap(pid)
      deadline = now + STOP_SECONDS
      sleep 0.02 until (ended = Process.wait(pid, Process::WNOHANG)) || now > deadline
      return if ended

      Process.kill(:KILL, pid)
      Process.wait(pid)
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
