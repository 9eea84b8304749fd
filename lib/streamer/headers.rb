# frozen_string_literal: true

module Streamer
  # The fields of a response head. Names are case-insensitive; what occurs several times is joined by ", ".
  class Headers
    include Enumerable

    # lines: "Name: value", LF between.
    def self.parse(lines)
      new(lines.each_line(chomp: true).map { |line| line.scrub.split(":", 2).map(&:strip) }.select { |pair| pair.size == 2 })
    end

    def initialize(pairs)
      @pairs = pairs.map { |name, value| [name.downcase, value] }
    end

    def [](name)
      values = all(name)
      values.join(", ") unless values.empty?
    end

    def values_at(*names) = names.map { |name| self[name] }

    # Each value of a field on its own, as Set-Cookie needs it.
    def all(name)
      name = name.downcase
      @pairs.filter_map { |key, value| value if key == name }
    end

    # Yields each lower-case name and value in the order they came.
    def each(&block) = @pairs.each(&block)

    def to_h = @pairs.to_h { |name, _| [name, self[name]] }

    def inspect = "#<Streamer::Headers #{@pairs.map(&:first).uniq.join(" ")}>" # values may be secrets
  end
end
