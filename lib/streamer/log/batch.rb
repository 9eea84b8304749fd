# frozen_string_literal: true

module Streamer
  class Log
    # Entries that were stored together: consecutive and of one attempt.
    class Batch
      # Positions of the first and of the last entry.
      attr_reader :first, :last

      # Their frames, a binary String.
      attr_reader :frames

      # The state in which its last entry leaves the log; nil while that stays open.
      attr_reader :state

      # For stores.
      def initialize(first:, last:, frames:, state: nil)
        @first = first
        @last = last
        @frames = frames
        @state = state
        freeze
      end

      # The frames of what is behind a position.
      def after(position)
        return frames if position < first

        position < last ? Frames.after(frames, first.sequence, position.sequence) : ""
      end

      # The entries behind a position.
      def entries(after: Position::START) = Frames.entries(after(after))
    end
  end
end
