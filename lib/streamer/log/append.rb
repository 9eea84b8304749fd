# frozen_string_literal: true

module Streamer
  class Log
    # A batch on its way into a store, and what has to be true there for it to be stored: the attempt is still the log's, the last entry is
    # the one before these, the log is open, and nobody has asked to stop (unless it closes the log).
    class Append
      # The log's key, and the attempt that writes.
      attr_reader :key, :epoch

      # The sequences of the entry before these, and of the last of them.
      attr_reader :after, :last

      # Binary.
      attr_reader :frames

      # The state in which the last entry leaves the log; nil while it stays open.
      attr_reader :state

      # The Piece whose last entry is this batch's; nil for none.
      attr_reader :piece

      # For the tests of stores.
      def initialize(key:, epoch:, after:, last:, frames:, state: nil, piece: nil)
        @key = key
        @epoch = epoch
        @after = after
        @last = last
        @frames = frames
        @state = state
        @piece = piece
        freeze
      end

      # The sequence of the first of them.
      def first = after + 1

      # Where the log is once it is stored.
      def position = Position.new(epoch, last)

      # The Batch that is stored.
      def batch = Batch.new(first: Position.new(epoch, first), last: position, frames: frames, state: state)

      # Whether a log that looks like this may take it: for stores that look before they write, under a lock.
      def fits?(head)
        head.open? && head.epoch == epoch && head.sequence == after && (!state.nil? || !head.stop?)
      end
    end
  end
end
