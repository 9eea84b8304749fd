# frozen_string_literal: true

# What bin/bench starts when everything is set up; the options are described there.
require "json"
require "optparse"
require "streamer"

require_relative "support/environment"
require_relative "support/report"
require_relative "support/results"
require_relative "support/contest"
require_relative "decode"
require_relative "extract"
require_relative "encode"
require_relative "pipeline"
require_relative "relay"
require_relative "fibers"
require_relative "upstreams"

module Bench
  STAGES = { "decode" => Decode, "extract" => Extract, "encode" => Encode, "pipeline" => Pipeline, "relay" => Relay, "fibers" => Fibers,
             "upstreams" => Upstreams }.freeze

  # How much is measured. settings_of_long: of the 64 MiB line.
  Size = Struct.new(:tokens, :settings, :settings_of_long, :core_seconds, :relay_rounds, :long_relay,
                    keyword_init: true)

  FULL = Size.new(tokens: 20_000, settings: Contest::Settings.new(rounds: 7, turn: 0.2),
                  settings_of_long: Contest::Settings.new(rounds: 5, turn: 0), core_seconds: 0.5,
                  relay_rounds: 3, long_relay: true)
  QUICK = Size.new(tokens: 5000, settings: Contest::Settings.new(rounds: 3, turn: 0.05),
                   settings_of_long: Contest::Settings.new(rounds: 1, turn: 0), core_seconds: 0.1,
                   relay_rounds: 1, long_relay: false)
  SMOKE = Size.new(tokens: 500)

  class << self
    def main(arguments)
      $stdout.sync = true
      size = FULL.dup
      command = ["bin/bench", *arguments].join(" ")
      OptionParser.new do |options|
        options.on("--quick") { size = QUICK.dup }
        options.on("--smoke") { size = SMOKE.dup }
        options.on("--rounds N", Integer) { |rounds| size.relay_rounds = rounds }
      end.parse!(arguments)
      stages = stages_of(arguments).map { |stage| stage.new(size) }
      size.settings ? measure(stages, command, keep: size.long_relay) : stages.each { |stage| check(stage) }
    end

    private

    def stages_of(names)
      names = STAGES.keys if names.empty? || names == ["all"]
      names.map { |name| STAGES.fetch(name) { abort "bin/bench: no stage #{name}; there are #{STAGES.keys.join(", ")} and all" } }
    end

    def check(stage)
      stage.check
      puts "same output: #{stage.class.name.split("::").last.downcase}"
    end

    # keep: write it to results.md.
    def measure(stages, command, keep:)
      environment = [*Environment.rows, ["load before", Environment.load]]
      environment.each { |name, value| puts format("%-18s %s", name, value) }
      report = Report.new
      stages.each { |stage| stage.run(report) }
      report.finish
      return unless keep

      Results.new.write(command, [*environment, ["load after", Environment.load]], report)
      puts "", "written: benchmark/results.md"
    end
  end
end

begin
  Bench.main(ARGV.dup)
rescue Interrupt
  exit 130
end
