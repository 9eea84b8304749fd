# frozen_string_literal: true

# bin/soak log: see there.

require "etc"
require "optparse"
require "log/simulation"

options = { runs: 10_000, seed: 1, logs: 100, processes: Etc.nprocessors }
OptionParser.new do |parser|
  options.each_key { |name| parser.on("--#{name} N", Integer) { |number| options[name] = number } }
end.parse!

seeds = (options[:seed]...(options[:seed] + options[:runs])).to_a
$stdout.sync = true
began = Process.clock_gettime(Process::CLOCK_MONOTONIC)

children = seeds.group_by { |seed| seed % options[:processes] }.values.map do |own|
  fork do
    failed = 0
    own.each.with_index(1) do |seed, number|
      Simulation.run(seed, logs: options[:logs])
      puts "soak: #{number} of #{own.size} runs in process #{Process.pid}, #{failed} failed" if (number % 250).zero?
    rescue StandardError => error
      failed += 1
      puts "FAILED with --seed #{seed}: #{error.class}: #{error.message}", error.backtrace.first(8).map { |line| "    #{line}" }
    end
    exit!(failed.zero?)
  end
end

passed = children.map { |pid| Process.wait2(pid).last.success? }.all?
seconds = (Process.clock_gettime(Process::CLOCK_MONOTONIC) - began).round
puts "soak: #{seeds.size} runs of #{options[:logs]} logs, seeds #{seeds.first} to #{seeds.last}, #{seconds} s: #{passed ? "nothing found" : "FAILED"}"
exit(passed)
