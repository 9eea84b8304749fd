# frozen_string_literal: true

# bin/soak sqlite, postgresql, redis: see there.

require "optparse"
require "log/trials"

name = ARGV.shift
options = { runs: 200, seed: 1 }
OptionParser.new do |parser|
  options.each_key { |option| parser.on("--#{option} N", Integer) { |number| options[option] = number } }
end.parse!

$stdout.sync = true
site = Trials::SITES.fetch(name).new
seeds = options[:seed]...(options[:seed] + options[:runs])
happened = Hash.new(0)
failed = seeds.count do |seed|
  trial = Trials::Trial.new(site, seed)
  trial.run
  trial.happened.each { |what| happened[what] += 1 }
  false
rescue StandardError => error
  puts "FAILED with --seed #{seed}: #{error.class}: #{error.message}", error.backtrace.first(8).map { |line| "    #{line}" }
  true
end
site.close
puts "soak: #{options[:runs]} runs on #{name}, seeds #{seeds.first} to #{seeds.max}: #{failed.zero? ? "nothing found" : "#{failed} FAILED"}"
puts "soak: #{happened.sort.map { |what, count| "#{what} #{count}" }.join(", ")}"
exit(failed.zero?)
