# frozen_string_literal: true

require "etc"
require "fileutils"
require "json"
require "net/http"
require "rbconfig"
require "socket"
require "tmpdir"

require_relative "tools"

module Bench
  # Processes of a measurement: servers, which have the first core to themselves, and tools on the second, where there are two. All end
  # with the block of `open`, by SIGTERM as well as by an exception.
  class Processes
    ROOT = File.expand_path("../..", __dir__)
    APPS = File.expand_path("../apps", __dir__)
    READY_SECONDS = 40
    STOP_SECONDS = 5

    Late = Class.new(StandardError)

    Server = Struct.new(:name, :pid, :port) do
      def get(path)
        Net::HTTP.start("127.0.0.1", port, open_timeout: 10, read_timeout: 30) { |http| http.get(path).body }
      end
    end

    def self.open(...)
      processes = new(...)
      previous = trap(:TERM) { exit(143) }
      yield processes
    ensure
      processes&.stop
      trap(:TERM, previous) if previous
    end

    def initialize
      @directory = Dir.mktmpdir("streamer-bench")
      @pids = []
      Process.setrlimit(:NOFILE, Process.getrlimit(:NOFILE).last)
    end

    def stop
      @pids.each { |pid| Process.kill(:INT, pid) }
      @pids.each { |pid| reap(pid) }
      FileUtils.remove_entry(@directory)
    end

    private

    def ruby = [RbConfig.ruby, "-W0", "-I#{File.join(ROOT, "lib")}", "-S"]

    # The block gets a port and gives the command that serves there.
    def start(name, variables = {})
      port = free_port
      log = File.join(@directory, "#{name}.log")
      pid = spawn(variables, [*on(0), *yield(port)], out: log, err: %i[child out])
      wait_ready(name, pid, port, log)
      Server.new(name, pid, port)
    end

    # The port of tools/upstream.c.
    def start_upstream
      output, input = IO.pipe
      spawn({}, [*on(1), Tools.c("upstream")], out: input)
      input.close
      Integer(output.gets || raise("the upstream did not start"))
    ensure
      output&.close
    end

    def free_port = TCPServer.open("127.0.0.1", 0) { |probe| probe.local_address.ip_port }

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
