# frozen_string_literal: true

require "fileutils"
require "monitor"
require "tmpdir"
require_relative "../databases"
require_relative "../ports"

module Databases
  # A server in a process of its own, on a loopback port and in a temporary directory of its own. A subclass says its `command_line`,
  # and whether it is `ready?` for clients.
  class Server
    HOST = "127.0.0.1"
    READY_SECONDS = 60
    STOP_SECONDS = 20
    STOP_SIGNAL = :TERM
    # As if it had crashed.
    KILL_SIGNAL = :KILL

    @monitor = Monitor.new

    class << self
      attr_reader :monitor

      # The one of these options that the whole test process uses.
      def shared(**options)
        Server.synchronize { (@shared ||= {})[options] ||= new(**options) }
      end

      def synchronize(&block) = Server.monitor.synchronize(&block)

      # Where a program is, or nil. folders: patterns of where to look besides PATH, the newest version's last.
      def program(*names, folders: [])
        versions = Dir[*folders].sort_by { |folder| folder.scan(/\d+/).map(&:to_i) }.reverse
        names.product(versions + ENV["PATH"].split(":") + ["/usr/sbin"]).map { |name, folder| File.join(folder, name) }
             .find { |path| File.executable?(path) }
      end

      # Until the block is true.
      def wait(what, log: nil)
        deadline = now + READY_SECONDS
        until yield
          raise "waited #{READY_SECONDS} s, but not yet: #{what}\n#{log&.call}" if now > deadline

          sleep 0.01
        end
      end

      def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

      def program!(*names, **options)
        program(*names, **options) or raise "there is no #{names.join(" or ")} here: bin/setup --ruby installs it on Debian and Ubuntu"
      end
    end

    attr_reader :directory, :port, :pid

    def initialize
      @owner = Process.pid
      @directory = Dir.mktmpdir("streamer-database")
      Watchdog.made(@directory)
      at_exit { remove if Process.pid == @owner }
      @port = Ports.free
      prepare
      start
    end

    def host = HOST

    def start
      @pid = Process.spawn(*command_line, chdir: directory, in: File::NULL, out: [log_file, "a"], err: [:child, :out], pgroup: true)
      Watchdog.watch(@pid, self.class::KILL_SIGNAL)
      wait_ready
    end

    # Ends it in the way that its administrator would.
    def stop = finish(self.class::STOP_SIGNAL)

    # Ends it as a crash would.
    def kill = finish(self.class::KILL_SIGNAL)

    def restart
      stop
      start
    end

    def running? = !@pid.nil?

    # Connections stay open, and new ones are accepted by the system; nothing is answered until `resume`.
    def pause = signal(:STOP)

    def resume = signal(:CONT)

    # Ends it for good, with all its data.
    def remove
      return unless @directory

      stop
      FileUtils.rm_rf(@directory)
      Watchdog.removed(@directory)
      @directory = nil
    end

    def log = File.exist?(log_file) ? File.read(log_file) : ""

    private

    def prepare; end

    # For the names of what tests must not share, forked processes neither.
    def number
      File.open(path("number"), File::RDWR | File::CREAT) do |file|
        file.flock(File::LOCK_EX)
        (file.read.to_i + 1).tap { |number| file.rewind && file.write(number) }
      end
    end

    def path(name) = File.join(directory, name)
    def log_file = path("log")

    # The process itself first, so that it starts no others meanwhile that would be missed.
    def signal(name)
      Process.kill(name, @pid)
      children.each { |child| Process.kill(name, child) }
    rescue Errno::ESRCH
      # one of the children has ended by itself
    end

    def children
      File.read("/proc/#{@pid}/task/#{@pid}/children").split.map(&:to_i)
    end

    def finish(name)
      return unless running?

      Process.kill(name, @pid)
      resume
      deadline = Server.now + STOP_SECONDS
      until Process.wait(@pid, Process::WNOHANG)
        Process.kill(:KILL, @pid) if Server.now > deadline
        sleep 0.005
      end
      Watchdog.forget(@pid)
      @pid = nil
    end

    def wait_ready
      wait("#{self.class.name} is ready") do
        if Process.wait(@pid, Process::WNOHANG)
          Watchdog.forget(@pid)
          @pid = nil
          raise "#{self.class.name} has ended:\n#{log}"
        end
        ready?
      end
    end

    def wait(what, &block) = Server.wait(what, log: method(:log), &block)
  end
end
