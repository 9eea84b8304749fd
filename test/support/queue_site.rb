# frozen_string_literal: true

require "fileutils"
require "json"
require "rbconfig"
require "tmpdir"
require "yaml"
require_relative "databases"

# An application with real workers, each process of which is one of its own; see QueueApp for what there is in it, and queue_process for
# what they do.
#
#   site = QueueSite.new(:solid_queue, lease: 3)   # :sidekiq, :async_job
#   worker = site.work                       # a Process; Solid Queue's supervisor with its children, or Sidekiq
#   id = site.web.run("start(#{url.inspect})")   # a generation that streams what the URL answers
#   site.web.run("look(#{id})")["status"]        # see QueueConsole
#   site.workers                             # the ids of the processes that do the work
#   site.stop
class QueueSite
  ROOT = File.expand_path("../..", __dir__)
  APP = File.expand_path("queue_app.rb", __dir__)
  PROGRAM = File.expand_path("queue_process.rb", __dir__)
  READY_SECONDS = 120

  # One process, which does not outlive the test's.
  class Child
    attr_reader :pid

    def initialize(pid)
      @pid = pid
      Databases::Watchdog.watch(pid, :KILL)
    end

    def signal(name) = Process.kill(name, pid)

    # It is not this process's own child: whoever has forked it waits for it.
    def alive?
      Process.kill(0, pid) == 1
    rescue Errno::ESRCH
      false
    end

    # Tells it to end; whether it did.
    def stop(timeout = 40)
      signal(:TERM) if alive?
      wait_end(timeout)
    ensure
      kill
    end

    def wait_end(timeout)
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + timeout
      sleep(0.02) while (lives = alive?) && Process.clock_gettime(Process::CLOCK_MONOTONIC) < deadline
      !lives
    end

    # With all its children.
    def kill
      Process.kill(:KILL, -pid)
      wait_end(10)
    rescue Errno::ESRCH
      nil
    ensure
      Databases::Watchdog.forget(pid)
    end
  end

  # A web process.
  class Web < Child
    Failed = Class.new(StandardError)

    def initialize(pid, questions, answers)
      super(pid)
      @questions = File.open(questions, "w")
      @questions.sync = true
      @answers = File.open(answers)
      @lock = Mutex.new
    end

    # What the Ruby gives, as JSON has it.
    def run(ruby)
      answer = @lock.synchronize do
        @questions.puts(JSON.generate(ruby))
        @answers.gets or raise Failed, "the web process has ended"
      end
      answer = JSON.parse(answer)
      answer.key?("error") ? raise(Failed, answer.values.join("\n")) : answer["value"]
    end
  end

  attr_reader :directory

  # threads, fibers: of a worker, of which there are so many. The rest as in QueueApp, in small letters.
  def initialize(queue, threads: 5, fibers: nil, processes: 1, **environment)
    @queue = queue
    @directory = Dir.mktmpdir("streamer-queue")
    @threads = threads
    @environment = environment.to_h { |name, value| [name.to_s.upcase, value.to_s] }
                              .merge("QUEUE" => queue.to_s, "DIRECTORY" => @directory, "RAILS_ENV" => "production")
    @children = []
    worker = { queues: "*", processes: processes, polling_interval: 0.1, **(fibers ? { fibers: fibers } : { threads: threads }) }
    write("queue.yml", { workers: [worker], dispatchers: [{ polling_interval: 0.1, batch_size: 500 }] })
    @environment["REDIS_URL"] ||= Databases::Redis.shared.fresh[:url] if queue == :sidekiq
    @environment["ISOLATION"] = "fiber" if fibers || queue == :async_job
    boot
  end

  # The web process that does what is not about a process of its own.
  def web = @web ||= new_web

  # Kills it, and has another one.
  def replace_web
    @web&.kill
    @web = new_web
  end

  def new_web
    pipes = %w[questions answers].map { |name| File.join(@directory, "#{name}#{@children.size}").tap { |path| File.mkfifo(path) } }
    add(Web.new(fork_off("web", *pipes), *pipes))
  end

  def work
    add(Child.new(fork_off(@queue, *(["-r", APP, "-c", @threads, "-t", 8].map(&:to_s) if @queue == :sidekiq))))
  end

  # Of Solid Queue's children; those that were killed are in its table for a while.
  def workers
    web.run("SolidQueue::Process.where(kind: 'Worker').pluck(:pid)").select { |pid| lives?(pid) }
  end

  def log = File.exist?(log_path) ? File.read(log_path) : ""

  def stop
    @children.each(&:kill)
    Process.kill(:KILL, @pid)
    Process.wait(@pid)
    Databases::Watchdog.forget(@pid)
    FileUtils.rm_rf(@directory)
  end

  private

  # The process that all others are forked from.
  def boot
    input, @orders = IO.pipe
    @pids, output = IO.pipe
    @pid = Process.spawn(@environment, RbConfig.ruby, "-W0", PROGRAM, chdir: ROOT, in: input, out: output, err: [log_path, "a"])
    Databases::Watchdog.watch(@pid, :KILL)
    [input, output].each(&:close)
    @orders.sync = true
    Child.new(fork_off("tables")).wait_end(READY_SECONDS) or raise "no tables:\n#{log}"
  end

  def fork_off(*order)
    @orders.puts(JSON.generate(order))
    Integer(@pids.gets || raise("the application does not boot:\n#{log}"))
  end

  def lives?(pid)
    File.read("/proc/#{pid}/stat")[/\) (\w)/, 1] != "Z"
  rescue Errno::ENOENT, Errno::ESRCH
    false
  end

  def add(child) = child.tap { @children << child }

  def write(name, object) = File.write(File.join(@directory, name), YAML.dump(JSON.parse(JSON.generate(object))))

  def log_path = File.join(@directory, "log")
end
