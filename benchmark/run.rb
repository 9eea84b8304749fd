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
require_relative "log"
require_relative "product"

module Bench
  STAGES = { "decode" => Decode, "extract" => Extract, "encode" => Encode, "pipeline" => Pipeline, "relay" => Relay, "fibers" => Fibers,
             "upstreams" => Upstreams, "log" => Log, "product" => Product }.freeze

  # How much is measured. settings_of_long: of the 64 MiB line.
  # long_relay: loads as they are, not reduced. only: names of parts and protocols, all where it is empty. tls: nginx's word for
  # the version of TLS.
  Size = Struct.new(:tokens, :settings, :settings_of_long, :core_seconds, :relay_rounds, :long_relay, :only, :tls,
                    keyword_init: true) do
    def initialize(only: [], tls: Servers::TLS, **) = super
  end

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
      command = ["bin/bench", *arguments].join(" ")
      size = parse(arguments)
      stages = chosen(stages_of(arguments), size.only).map { |stage| stage.new(size) }
      size.settings ? measure(stages, command, keep: size.long_relay && !partial?(size)) : stages.each { |stage| check(stage) }
    end

    private

    # Takes the options out of the arguments.
    def parse(arguments)
      size = FULL
      own = {}
      OptionParser.new do |options|
        options.on("--quick") { size = QUICK }
        options.on("--smoke") { size = SMOKE }
        options.on("--rounds N", Integer) { |rounds| own[:relay_rounds] = rounds }
        options.on("--only NAMES", Array) { |names| own[:only] = names }
        options.on("--tls VERSION", { "1.2" => "TLSv1.2", "1.3" => "TLSv1.3" }) { |tls| own[:tls] = tls }
      end.parse!(arguments)
      Size.new(**size.to_h, **own)
    end

    # A section without some of its protocols or stores would replace the whole one, and README.md says TLS 1.3.
    def partial?(size) = size.only.intersect?(PROTOCOLS.map(&:name) + Log::STORES) || size.tls != Servers::TLS

    def stages_of(names)
      names = STAGES.keys if names.empty? || names == ["all"]
      names.map { |name| STAGES.fetch(name) { abort "bin/bench: no stage #{name}; there are #{STAGES.keys.join(", ")} and all" } }
    end

    # With --only, the stages that have what it names; an unknown name ends the program.
    def chosen(stages, only)
      return stages if only.empty?

      with_parts = stages.select { |stage| stage < PartsStage }
      parts = only - PROTOCOLS.map(&:name)
      unknown = parts - with_parts.flat_map(&:names)
      names = [*PROTOCOLS.map(&:name), *with_parts.flat_map(&:names)]
      abort "bin/bench: no #{unknown.join(", ")} to choose; there are #{names.join(", ")}" unless unknown.empty?

      with_parts.select { |stage| parts.empty? || parts.intersect?(stage.names) }
    end

    def check(stage)
      stage.check
      puts "same output: #{stage.class.name.split("::").last.downcase}"
    end

    # Of the others there is one.
    def sections = STAGES.flat_map { |name, stage| stage < PartsStage ? stage.sections : [name] }

    # What a stage takes that does not tell.
    OTHER_SECONDS = 60

    def announce(stages)
      seconds = stages.sum { |stage| stage.respond_to?(:seconds) ? stage.seconds : OTHER_SECONDS }
      puts format("%-18s about %.0f minutes, until %s", "takes", (seconds / 60.0).ceil, (Time.now + seconds).strftime("%H:%M"))
    end

    # keep: write it to results.md.
    def measure(stages, command, keep:)
      announce(stages)
      environment = [*Environment.rows, ["load before", Environment.load]]
      environment.each { |name, value| puts format("%-18s %s", name, value) }
      report = Report.new
      stages.each { |stage| stage.run(report) }
      report.finish
      if keep
        Results.new(sections).write(command, [*environment, ["load after", Environment.load]], report)
        puts "", "written: benchmark/results.md"
      else
        puts "", "not written: benchmark/results.md is for whole sections, measured in full and with TLS 1.3"
      end
      abort_with(report.failures)
    end

    # Results without them are written all the same.
    def abort_with(failures)
      return if failures.empty?

      abort failures.map { |title, error| "bin/bench: failed, and left out: #{title}: #{error.message}" }.join("\n")
    end
  end
end

begin
  Bench.main(ARGV.dup)
rescue Interrupt
  exit 130
end
