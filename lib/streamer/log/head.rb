# frozen_string_literal: true

module Streamer
  class Log
    # What a store knows of a log at one moment.
    class Head
      # The log's key, a String.
      attr_reader :key

      # nil while it is open; then "completed", "failed", "cancelled" or "timed_out".
      attr_reader :state

      # The attempt that it is in, 0 before the first; and the sequence of its last entry.
      attr_reader :epoch, :sequence

      # The attempt that the text begins with: earlier ones' is void.
      attr_reader :text_epoch

      # Positions: up to which entries were deleted, and up to which there is text in pieces.
      attr_reader :pruned, :compacted

      # The attempt that somebody has asked to stop; 0 for none.
      attr_reader :stop_epoch

      # Who writes; nil for nobody. How often a writer was found dead.
      attr_reader :owner, :interrupted

      # Of all frames.
      attr_reader :bytes

      # By the store's clock, a Time.
      attr_reader :created_at

      VARIABLES = %i[key state epoch sequence text_epoch pruned compacted stop_epoch owner leased interrupted bytes created_at]
                  .to_h { |name| [name, :"@#{name}"] }.freeze
      private_constant :VARIABLES

      # leased: whether the owner's lease runs, by the store's clock.
      def initialize(key:, state: nil, epoch: 0, sequence: 0, text_epoch: 0, pruned: Position::START, compacted: Position::START, stop_epoch: 0,
                     owner: nil, leased: false, interrupted: 0, bytes: 0, created_at: nil)
        @key = key
        @state = state
        @epoch = epoch
        @sequence = sequence
        @text_epoch = text_epoch
        @pruned = pruned
        @compacted = compacted
        @stop_epoch = stop_epoch
        @owner = owner
        @leased = leased
        @interrupted = interrupted
        @bytes = bytes
        @created_at = created_at
        freeze
      end

      # The same with other values.
      def with(**changes)
        dup.change(changes).freeze
      end

      # What a log looks like that is not in the store.
      def self.missing(key) = new(key: key, state: "missing")

      # Whether it is one of those.
      def missing? = state == "missing"

      # The Position of its last entry.
      def position = Position.new(epoch, sequence)

      # Whether something may still come.
      def open? = state.nil?

      # Whether nothing comes any more.
      def closed? = !open?

      # Nobody has begun to write.
      def queued? = open? && epoch.zero?

      # Whether the owner's lease runs, by the store's clock.
      def leased? = @leased

      # Somebody began to write, and has not been heard of for longer than the lease.
      def overdue? = open? && !owner.nil? && !leased?

      # What it is at: "queued", "running" or "recovering" while it is open (the last: nobody writes, and somebody should), then its state.
      def phase
        return state if closed?
        return "queued" if queued?

        leased? ? "running" : "recovering"
      end

      # Whether this attempt is to stop.
      def stop? = open? && epoch.positive? && stop_epoch >= epoch

      # Whether a writer of this name may claim it.
      def claimable_by?(name) = open? && (!leased? || owner == name)

      protected

      def change(values)
        values.each { |name, value| instance_variable_set(VARIABLES.fetch(name), value) }
        self
      end
    end
  end
end
