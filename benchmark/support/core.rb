# frozen_string_literal: true

require_relative "tools"

module Bench
  # The figures of benchmark/core.c, which checks its own output.
  module Core
    Figure = Struct.new(:name, :rate, :ns)

    LINE = %r{\A(\S.*?)\s+(\d+) MB/s\s+([\d.]+) ns/event\Z}

    # [Figure]: name with single spaces, MB/s, ns per event.
    def self.figures(seconds)
      figures = IO.popen([Tools.core, seconds.to_s], &:readlines).filter_map do |line|
        line.match(LINE) { |found| Figure.new(found[1].squeeze(" "), found[2].to_f, found[3].to_f) }
      end
      raise "benchmark/core failed" unless $?.success?

      figures
    end
  end
end
