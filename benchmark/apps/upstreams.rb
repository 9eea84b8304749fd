# frozen_string_literal: true

# Reads many streams of an upstream at once and prints what it took, as JSON: upstreams.rb URL WAY STREAMS TOKENS MICROSECONDS.
require "json"

url, way, *numbers = ARGV
streams, tokens, us = numbers.map { |number| Integer(number) }
Process.setrlimit(:NOFILE, Process.getrlimit(:NOFILE).last)

TARGET = "/v1/chat/completions?n=#{tokens}&us=#{us}".freeze
PATH = "choices.0.delta.content"

# What has arrived.
class Arrivals
  attr_reader :out_of_order

  def initialize(streams)
    @next = Array.new(streams, 0)
    @delays = []
    @out_of_order = 0
  end

  # text: "@SEQUENCE:TIME ", see benchmark/tools/upstream.c.
  def add(stream, text)
    sequence, time = text.delete_prefix("@").split(":")
    @out_of_order += 1 unless sequence.to_i == @next[stream]
    @next[stream] += 1
    @delays << ((Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond) - time.to_i) / 1000)
  end

  def size = @delays.size

  # Microseconds.
  def delays
    sorted = @delays.sort
    [sorted[sorted.size / 2], sorted[sorted.size * 99 / 100]]
  end
end

# Counts the scheduler's waits for descriptors.
module Counting
  attr_reader :waits

  def io_wait(...)
    @waits = @waits.to_i + 1
    super
  end
end

in_tasks = lambda do |&read|
  Sync do |task|
    Fiber.scheduler.singleton_class.prepend(Counting)
    Array.new(streams) { |stream| task.async { read.call(stream) } }.each(&:wait)
    Fiber.scheduler.waits
  end
end

ways = {
  "tasks" => lambda do |arrivals|
    client = Streamer::Client.new(url, timeouts: { connect: 60 })
    in_tasks.call do |stream|
      client.post(TARGET, json: { stream: true }).each_value(PATH) { |text| arrivals.add(stream, text) }
    end
  end,
  "merge" => lambda do |arrivals|
    client = Streamer::Client.new(url, timeouts: { connect: 60 })
    requests = Array.new(streams) { |stream| [:"#{stream}", client.request(:post, TARGET, json: { stream: true })] }
    Streamer.merge(**requests.to_h) do |name, event|
      arrivals.add(name.to_s.to_i, event.json.dig("choices", 0, "delta", "content")) unless event.data == "[DONE]"
    end
    nil
  end,
  "async_http" => lambda do |arrivals|
    internet = Async::HTTP::Internet.new(limit: nil)
    in_tasks.call do |stream|
      response = internet.post(url + TARGET, [["content-type", "application/json"]], ['{"stream":true}'])
      parser = EventStreamParser::Parser.new
      response.body.each do |chunk|
        parser.feed(chunk) do |_type, data|
          arrivals.add(stream, JSON.parse(data).dig("choices", 0, "delta", "content")) unless data == "[DONE]"
        end
      end
    ensure
      response&.close
    end
  end
}

if way == "async_http"
  require "async/http/internet"
  require "event_stream_parser"
else
  require "async" if way == "tasks"
  require "streamer"
end

memory = -> { File.read("/proc/self/status").then { |status| [status[/^VmRSS:\s+(\d+)/, 1].to_i, status[/^Threads:\s+(\d+)/, 1].to_i] } }
cpu = -> { Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) }

arrivals = Arrivals.new(streams)
before = memory.call
most = before
sampler = Thread.new { loop { sleep(0.1) && most = most.zip(memory.call).map(&:max) } }
sleep 0.15 # the sampler is among the threads
threads = memory.call.last
started = cpu.call
waits = ways.fetch(way).call(arrivals)
spent = cpu.call - started
sampler.kill
delays = arrivals.delays
puts JSON.generate(cpu_s: spent, tokens: arrivals.size, out_of_order: arrivals.out_of_order, delay_us: delays, waits: waits,
                   threads: [most.last - threads, 0].max, kb: most.first - before.first)
