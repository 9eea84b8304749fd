# frozen_string_literal: true

# CPU of this process for each token that goes from an upstream into a log, and how long one takes into the store.
#
#   logs.rb UPSTREAM_URL LOGS SECONDS [us between the tokens of an answer]
#
# All answers run at once, none in a thread of its own; the store is in memory, so that it is our own work that is measured.
require "json"
require "streamer"

url, logs, seconds, interval = ARGV
logs, seconds, interval = Integer(logs), Integer(seconds), Integer(interval || 50_000)

# Notes the delay of each token: its text has the time at which the upstream queued it.
class Noting < Streamer::Stores::Memory
  attr_reader :delays, :appends, :commits

  def initialize
    super
    @delays = []
    @appends = @commits = 0
  end

  def append(appends)
    @commits += 1
    @appends += appends.size
    now = Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
    super.tap { appends.each { |append| append.frames[/@\d+:(\d+)/, 1]&.then { |queued| @delays << (now - queued.to_i) } } }
  end
end

store = Streamer::Log.store = Noting.new
request = Streamer.request(:get, "#{url}/v1?n=#{seconds * 1_000_000 / interval}&us=#{interval}")
cpu = -> { Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :microsecond) }
over = Thread::Queue.new
tokens = lambda do
  store.delays.clear
  Array.new(logs) { Streamer::Log.create }.each do |log|
    Streamer::Log::Intake.new(request, value: "choices.0.delta.content").start(log.claim) { |result| over << result }
  end
  Array.new(logs) { over.pop }.sum { |result| result.completed? ? result.timings[:frames] : raise(result.error) }
end

before, commits, appends = cpu.call, store.commits, store.appends
count = tokens.call
used = cpu.call - before
delays = store.delays.sort
puts JSON.generate(us_per_token: (used.to_f / count).round(1), tokens: count, threads: Thread.list.size,
                   commits_per_second: ((store.commits - commits).to_f / seconds).round(1),
                   appends_per_token: ((store.appends - appends).to_f / count).round(3),
                   delay_p50_ms: (delays[delays.size / 2] / 1e6).round(2), delay_p95_ms: (delays[delays.size * 95 / 100] / 1e6).round(2))
