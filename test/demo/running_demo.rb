# frozen_string_literal: true

require "fileutils"
require "rbconfig"
require "tmpdir"

# The demo with all its processes, as bin/demo starts it, set-up apart, with a database of its own.
#
#   demo = RunningDemo.shared               # stopped at the end of the run
#   demo = RunningDemo.shared("redis")
#   demo.urls                               # of its web servers
class RunningDemo
  ROOT = File.expand_path("../../demo", __dir__)
  READY_SECONDS = 180

  # Tokens a second: an answer takes six.
  PACE = "40"
  STOP_SECONDS = 40

  Late = Class.new(StandardError)

  def self.shared(*options)
    @shared ||= {}
    @shared[options] ||= new(*options).tap { |demo| Minitest.after_run { demo.stop } }
  end

  attr_reader :urls

  def initialize(*options)
    @directory = Dir.mktmpdir("streamer-demo")
    @pid = Process.spawn({ "DEMO_STORAGE" => @directory, "DEMO_PACE" => PACE }, RbConfig.ruby, "supervisor.rb", "puma", "0", *options,
                         chdir: ROOT, in: File::NULL, out: log_file, err: [:child, :out])
    @urls = within(READY_SECONDS, "the demo's address") { log[/The demo is at  (.*)  \(/, 1] }.split("  and  ")
  rescue StandardError
    stop
    raise
  end

  def log = File.read(log_file)

  def stop
    Process.kill(:TERM, @pid) unless ended?
    within(STOP_SECONDS, "the demo's end") { ended? }
    FileUtils.remove_entry(@directory)
  end

  private

  def log_file = File.join(@directory, "log")

  def ended? = @ended ||= !Process.wait(@pid, Process::WNOHANG).nil?

  def within(seconds, what)
    deadline = now + seconds
    until (value = yield)
      raise "the demo has ended:\n#{log}" if ended?
      raise Late, "#{what}: not in #{seconds} s:\n#{log}" if now > deadline

      sleep 0.05
    end
    value
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
