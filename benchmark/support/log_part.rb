# frozen_string_literal: true

require_relative "contest"
require_relative "report"
require_relative "sites"

module Bench
  # One question to the log, with a section of its own in the report. What a part defines:
  #
  #   NAME, NOTE   on the command line, and what is measured
  #   ENTRIES      an Array of LogContender
  #   SECONDS      about how long a round takes
  #   measure      with @sites open
  #   show         tables and targets
  class LogPart
    include LogContenders

    # Of what all contenders are compared with first, and warm up with.
    SAMPLE = { readers: 5, per_second: 50, messages: 20 }.freeze

    # stores: those to measure. rounds, reduced: see Size.
    def initialize(report, stores:, rounds:, reduced:)
      @report = report
      @stores = stores
      @rounds = rounds
      @reduced = reduced
    end

    def entries = self.class::ENTRIES.select { |contender| @stores.include?(contender.store) }

    def seconds = @rounds * self.class::SECONDS

    def run
      @report.note(self.class::NOTE.tr("\n", " ").strip)
      Sites.open do |sites|
        @sites = sites
        measure
      end
      show
    end

    # Whether every message arrives, once and in order; of others, which do not promise that, whether there are messages.
    def check(sites)
      entries.each { |contender| sites.with(contender) { |site| same_output(site) } }
    end

    private

    def progress(text) = @report.progress("#{self.class::NAME}, #{text}")

    def same_output(site)
      prefix = "sample"
      site.worker.tell(:begin, prefix: prefix, count: SAMPLE[:readers])
      readers = site.readers(prefix, SAMPLE[:readers], SAMPLE[:messages])
      sent = site.worker.tell(:send, per_second: SAMPLE[:per_second], messages: SAMPLE[:messages])[:sent]
      faultless!(site.contender, readers.result(sent))
      site.worker.tell(:close)
    end

    def faultless!(contender, found)
      faults = contender.ours? ? found.values_at(:lost, :doubled, :out_of_order, :closed) : found.values_at(:doubled, :closed)
      return if faults.all?(&:zero?) && found[:received].positive?

      raise Contest::Different, "#{contender}: #{found.slice(:lost, :doubled, :out_of_order, :closed)}"
    end

    def median(results, &value) = Bench.median(results.map(&value))

    def number(value) = @report.number(value)

    # A reduced load says nothing about targets.
    def target(what, wanted, found, unit)
      @report.target(what, wanted, found, unit) if found && !@reduced
    end
  end
end
