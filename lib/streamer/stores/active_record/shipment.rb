# frozen_string_literal: true

module Streamer
  module Stores
    class ActiveRecord
      # Appends that go into the database in one transaction, all their bytes in one String: a statement then has the same text and the same
      # few parameters however many they are.
      class Shipment # :nodoc:
        # What one transaction takes, far below every database's limit for a statement.
        MAX_SIZE = 500
        MAX_BYTES = 2 * 1024 * 1024

        # In the order that all agree on, so that two transactions never wait for each other.
        def self.of(appends)
          shipments = []
          appends.sort_by(&:key).each do |append|
            shipments << new if shipments.empty? || shipments.last.full?
            shipments.last << append
          end
          shipments
        end

        attr_reader :appends

        def initialize(appends = [])
          @appends = []
          @bytesize = 0
          appends.each { |append| self << append }
        end

        def <<(append)
          @appends << append
          @bytesize += append.frames.bytesize + piece_size(append)
          self
        end

        def full? = appends.size >= MAX_SIZE || @bytesize >= MAX_BYTES

        def keys = appends.map(&:key)

        # Only those of these logs.
        def only(keys) = keys.size == appends.size ? self : self.class.new(appends.select { |append| keys.include?(append.key) })

        def pieces? = appends.any?(&:piece)

        # What belongs to the log's own row.
        def heads
          appends.map do |append|
            [append.key, append.epoch, append.after, append.last, append.state, append.frames.bytesize, append.piece&.through&.to_i]
          end
        end

        # [rows, bytes]: rows are key, position, first sequence, state, offset and size in the bytes.
        def batches
          offset = 0
          rows = appends.map do |append|
            size = append.frames.bytesize
            row = [append.key, append.position.to_i, append.first, append.state, offset, size]
            offset += size
            row
          end
          [rows, joined(appends.map(&:frames))]
        end

        # [rows, bytes]: rows are key, position, offset and size of the text, offset and size of the events.
        def pieces
          offset = 0
          pieces = appends.select(&:piece)
          rows = pieces.map do |append|
            piece = append.piece
            row = [append.key, piece.through.to_i, offset, piece.text.bytesize, offset + piece.text.bytesize, piece.events.bytesize]
            offset += piece.text.bytesize + piece.events.bytesize
            row
          end
          [rows, joined(pieces.flat_map { |append| [append.piece.text, append.piece.events] })]
        end

        private

        def piece_size(append) = append.piece ? append.piece.text.bytesize + append.piece.events.bytesize : 0

        def joined(parts) = parts.each_with_object(String.new(encoding: Encoding::BINARY)) { |part, bytes| bytes << part.b }
      end
    end
  end
end
