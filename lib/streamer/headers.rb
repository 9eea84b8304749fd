# frozen_string_literal: true

module Streamer
  # The fields of a response head. Names are case-insensitive, and values have no white space around them. What they say of the body is
  # decided in C, where the native relay decides it too: #media_type, #charset and #identity? are defined there.
  class Headers
    include Enumerable

    # lines: "Name: value", LF between. What is no field is left out.
    def self.parse(lines) = allocate.tap { |headers| headers.send(:lines=, normalize(lines)) }

    # pairs: names and values, a Hash or an Array of pairs. Raises ArgumentError for what HTTP does not allow in one.
    def initialize(pairs)
      self.lines = pairs.map { |name, value| line(name.to_s, value.to_s) }.join
    end

    # The value of a field, or nil; values of a field that occurs several times are joined by ", ".
    def [](name)
      values = all(name)
      values.join(", ") unless values.empty?
    end

    # The values of several fields, as #[] gives them.
    def values_at(*names) = names.map { |name| self[name] }

    # Each value of a field on its own, as Set-Cookie needs it.
    def all(name) = values_of(name.downcase)

    # Yields each lower-case name and value in the order they came.
    def each
      return enum_for(:each) unless block_given?

      @lines.each_line(chomp: true) { |line| yield line.split(": ", 2) }
      self
    end

    # All fields: lower-case name => value, values of one name joined by ", ".
    def to_h = group_by(&:first).transform_values { |pairs| pairs.map(&:last).join(", ") }

    # The same with values as they came, well-formed or not: a Location's bytes are percent-encoded one by one.
    def raw # :nodoc:
      @raw ? dup.tap { |headers| headers.instance_variable_set(:@lines, @raw) } : self
    end

    def inspect = "#<Streamer::Headers #{map(&:first).uniq.join(" ")}>" # values may be secrets

    private

    def line(name, value)
      self.class.send(:line, name, value) || raise(ArgumentError, "HTTP does not allow this in a header field: #{name.inspect}")
    end

    # Always well-formed UTF-8, whatever an upstream sent.
    def lines=(lines)
      @raw = lines.freeze unless lines.valid_encoding?
      @lines = lines.scrub.freeze
    end
  end
end
