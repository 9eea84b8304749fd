# frozen_string_literal: true

module Streamer
  class Log
    # An entry's place in its log, "2-57": the attempt that wrote it, counted from 1, and its number within the attempt, counted from 0.
    # START, "0-0", is the place before all entries.
    class Position
      include Comparable

      PATTERN = /\A(?:0-0|([1-9]\d{0,9})-(0|[1-9]\d{0,9}))\z/
      CEILING = 2**31
      private_constant :PATTERN, :CEILING

      # The Position that a String or Symbol names; nil when it names none.
      def self.parse(text)
        return unless PATTERN.match?(text)

        epoch, sequence = text.to_s.split("-").map(&:to_i)
        new(epoch, sequence) if epoch < CEILING && sequence < CEILING
      end

      # The Position that #to_i gave.
      def self.from(number) = new(number >> 32, number & 0xffff_ffff)

      # The attempt, and the number within it: Integers.
      attr_reader :epoch, :sequence

      # Both are Integers, 0 or more.
      def initialize(epoch, sequence)
        @epoch = epoch
        @sequence = sequence
        freeze
      end

      # The place before all entries.
      START = new(0, 0)

      # The one after it in the same attempt.
      def next = self.class.new(epoch, sequence + 1)

      # The place right before it: what is read behind that begins with it.
      def before = self.class.from(to_i - 1)

      # One number that sorts as positions do, for stores: a pair of columns is no index everywhere.
      def to_i = (epoch << 32) | sequence

      def to_s = "#{epoch}-#{sequence}"

      def inspect = "#<Streamer::Log::Position #{self}>"

      # By the attempt, then by the number; nil for what is no Position.
      def <=>(other) = other.is_a?(Position) ? to_i <=> other.to_i : nil

      def eql?(other) = other.is_a?(Position) && to_i == other.to_i

      def hash = to_i.hash
    end
  end
end
