# frozen_string_literal: true

require_relative "part"

module Bench
  # A stage that has parts (PARTS), of which --only chooses: names of parts, of protocols, and of GROUPS of parts. Each part is a
  # section of the report.
  class PartsStage
    GROUPS = {}.freeze

    def self.names = [*self::PARTS.map { |part| part::NAME }, *self::GROUPS.keys]

    def self.sections = self::PARTS.map { |part| section(part) }

    def self.section(part) = "#{name.split("::").last.downcase}: #{part::NAME}"

    def initialize(size)
      @size = size
    end

    # Servers of one protocol at a time: they are many.
    def check
      PROTOCOLS.each do |protocol|
        Servers.open(tls: @size.tls) do |servers|
          SameOutput.new(servers).check(chosen.flat_map { |part| build(part, nil, [protocol]).compared }.uniq)
        end
      end
    end

    # In seconds, about.
    def seconds = chosen.sum { |part| build(part, nil).seconds }

    def run(report)
      chosen.each do |part|
        built = build(part, report)
        next if built.entries.empty?

        report.section(self.class.section(part))
        run_part(built, report)
      end
    end

    private

    # What the other parts found is worth keeping.
    def run_part(part, report)
      part.run
    rescue Contest::Different, Servers::Late => error
      report.fail_section(error)
    end

    def only = @size.only

    def chosen
      names = only.flat_map { |name| self.class::GROUPS.fetch(name, [name]) } & self.class.names
      names.empty? && (only - PROTOCOLS.map(&:name)).empty? ? self.class::PARTS : self.class::PARTS.select { |part| names.include?(part::NAME) }
    end

    def protocols
      PROTOCOLS.select { |protocol| only.include?(protocol.name) }.then { |found| found.empty? ? PROTOCOLS : found }
    end

    def build(part, report, wanted = PROTOCOLS)
      part.new(report, protocols: protocols & wanted, rounds: @size.relay_rounds || 1, tls: @size.tls, reduced: !@size.long_relay)
    end
  end
end
