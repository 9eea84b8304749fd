# frozen_string_literal: true

require_relative "contenders"
require_relative "load"
require_relative "measurement"
require_relative "report"
require_relative "same_output"
require_relative "servers"

module Bench
  # One question to the relay, with a section of its own in the report; it starts its servers itself, so that it depends on no
  # other. What a part defines:
  #
  #   NAME, NOTE         on the command line, and what is measured
  #   LOADS              an Array of Load
  #   ENTRIES            an Array of Entry
  #   show(measurement)  tables and targets of a load
  class Part
    include Contenders

    # fresh: whether each round has new servers.
    def self.fresh? = false

    # With what it takes to start them and to compare their output.
    SERVER_SECONDS = { puma: 3, puma_of_five: 3, falcon: 3, go: 0.3, nginx: 0.3 }.freeze
    CHECK_SECONDS = 0.2

    # protocols: those to measure. rounds, tls, reduced: see Size.
    def initialize(report, protocols:, rounds:, tls:, reduced:)
      @report = report
      @protocols = protocols
      @rounds = rounds
      @tls = tls
      @reduced = reduced
    end

    def entries = self.class::ENTRIES.select { |entry| @protocols.include?(entry.protocol) && entry.available? }

    def loads = self.class::LOADS.map { |load| @reduced ? load.reduced : load }

    # About how long it takes.
    def seconds
      servers = entries.map { |entry| [entry.contender.server, entry.protocol] }.uniq.sum { |kind, _| SERVER_SECONDS.fetch(kind) }
      starts = self.class.fresh? ? @rounds * loads.size : 1
      ((servers + (entries.size * CHECK_SECONDS)) * starts) + (@rounds * loads.sum { |load| entries.size * load_seconds(load) })
    end

    def run
      return if entries.empty?

      @report.note(self.class::NOTE.tr("\n", " ").strip)
      self.class.fresh? ? run_fresh : run_warm
    end

    # Those whose output is compared first.
    def compared = entries

    private

    def load_seconds(load) = load.seconds

    def run_warm
      Servers.open(tls: @tls) do |servers|
        prepare(servers)
        loads.each do |load|
          found = Measurement.new(load)
          @rounds.times { |round| measure_round(servers, found, round) }
          show(found)
        end
      end
    end

    def run_fresh
      loads.each do |load|
        found = Measurement.new(load)
        @rounds.times do |round|
          Servers.open(tls: @tls) do |servers|
            prepare(servers)
            measure_round(servers, found, round)
          end
        end
        show(found)
      end
    end

    # Before the first load.
    def prepare(servers) = SameOutput.new(servers).check(compared)

    # The entries take turns.
    def measure_round(servers, found, round)
      entries.each do |entry|
        @report.progress("#{self.class::NAME}, round #{round + 1} of #{@rounds}: #{found.load}: #{entry}")
        found.add(entry, servers.load(entry.in(servers), entry.path, **found.load.to_h))
      end
    end

    # columns: title => a block that gives an entry's number, or [number, other's number] for a column of ratios more.
    def table(title, found, columns)
      @report.note(title)
      @report.table(["", "upstream", *columns.keys, "cut streams"], found.entries.map do |entry|
        [entry.contender.name, entry.protocol.title, *columns.values.map { |column| column.call(entry) }, found.cut(entry).to_s]
      end)
    end

    def number(&block) = ->(entry) { @report.number(block.call(entry)) }

    # Against another contender's over the same protocol, or over HTTP/1.1 with TLS where it speaks no HTTP/2.
    def ratio(found, contender, &block)
      lambda do |entry|
        other = rival(contender, entry.protocol)
        @report.ratio(found.include?(other) ? quotient(block.call(entry), block.call(other)) : nil)
      end
    end

    def rival(contender, protocol) = contender.best(protocol, H1).first

    def quotient(ours, theirs) = ours && theirs&.positive? ? ours / theirs : nil

    # wanted: { protocol => "<= 1.5" }
    def targets(found, contender, wanted, what, unit, &block)
      wanted.each do |protocol, limit|
        entry = Entry.new(contender, protocol)
        target("#{entry}, #{found.load}: #{what}", limit, block.call(entry), unit) if found.include?(entry)
      end
    end

    # limits: { protocol => 1.5 }, times the other's.
    def targets_against(found, contender, other, limits, what, &block)
      limits.each do |protocol, limit|
        ours = Entry.new(contender, protocol)
        theirs = rival(other, protocol)
        next unless found.include?(ours) && found.include?(theirs)

        target("#{ours}, #{found.load}: #{what} against #{theirs}", "<= #{limit}", quotient(block.call(ours), block.call(theirs)), "×")
      end
    end

    # A reduced load says nothing about targets.
    def target(what, wanted, found, unit)
      @report.target(what, wanted, found, unit) if found && !@reduced
    end
  end
end
