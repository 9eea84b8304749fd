# frozen_string_literal: true

# bin/soak generations: see there.

require "optparse"
require "streamer"
require "support/upstream"
require "support/queue_site"
require "generation/soak/answers"
require "generation/soak/faults"
require "generation/soak/round"

options = { rounds: 6, seed: 1, open: 100, lease: 30 }
words = { fault: nil, store: "sqlite" }
OptionParser.new do |parser|
  options.each_key { |name| parser.on("--#{name} N", Integer) { |number| options[name] = number } }
  words.each_key { |name| parser.on("--#{name} NAME") { |word| words[name] = word } }
end.parse!

$stdout.sync = true
answers = GenerationSoak::Answers.new
redis = Databases::Redis.new(appendonly: "yes", appendfsync: "always") if words[:store] == "redis"
faults = words[:fault] ? [words[:fault].to_sym] : GenerationSoak::Faults::ALL - (redis ? [:lock] : [:redis])
threads = (options[:open] / 3.0).ceil + 2
failed = 0

options[:rounds].times do |number|
  seed = options[:seed] + number
  fault = faults[seed % faults.size]
  partial = %i[keep restart][(seed / faults.size) % 2]
  site = QueueSite.new(:solid_queue, threads: threads, processes: 3, lease: options[:lease], pool: 5, partial: partial,
                                     **(redis ? { log_redis: redis.fresh[:url] } : {}))
  round = GenerationSoak::Round.new(site, answers, GenerationSoak::Faults.new(site, redis), Random.new(seed), options.slice(:open, :lease))
  mistakes = round.play(fault)
  puts "soak: seed #{seed}, #{fault}, #{partial}: #{round.summary}#{"; FAILED" if mistakes.any?}"
  mistakes.first(20).each { |mistake| puts "    #{mistake}" }
  puts site.log.lines.last(20).map { |line| "    | #{line}" } if mistakes.any?
  failed += 1 if mistakes.any?
ensure
  site&.stop
end

verdict = failed.zero? ? "nothing found" : "#{failed} FAILED"
puts "soak: #{options[:rounds]} rounds of #{options[:open]} generations, seeds from #{options[:seed]}: #{verdict}"
exit(failed.zero?)
