# frozen_string_literal: true

module Streamer
  module Upstream # :nodoc:
    # The body of a request: none, a String, or an IO that is read while it is sent.
    class Body # :nodoc:
      # Bytes that are read and handed over at once.
      PIECE = 64 * 1024
      private_constant :PIECE

      # source: nil, a String, or anything with read(length). An IO is sent from where it stands.
      def initialize(source)
        @source = source
        @start = position if streamed?
      end

      def empty? = @source.nil?

      # Whether it is read from an IO while it is sent.
      def streamed? = @source.respond_to?(:read)

      # What Transfer takes: a String, nil, or the length of a streamed body, -1 where it is not known.
      def for_transfer = streamed? ? length || -1 : @source

      # Makes it ready to be sent again. False when it cannot be.
      def rewind
        return true unless streamed?
        return false unless @source.respond_to?(:rewind)

        @start.to_i.positive? && @source.respond_to?(:seek) ? @source.seek(@start) : @source.rewind
        true
      rescue SystemCallError, IOError
        false # a pipe
      end

      # Hands it to a transfer that is under way. Waits until the upstream has taken it.
      def upload(transfer)
        while (piece = @source.read(PIECE))
          return unless transfer.upload(piece, false)
        end
        transfer.upload("", true)
      end

      private

      def position
        @source.pos if @source.respond_to?(:pos)
      rescue SystemCallError
        nil # a pipe
      end

      # What is left of an IO; nil where that is not known, as of a pipe.
      def length
        @source.size - @source.pos if @source.respond_to?(:size) && @source.respond_to?(:pos)
      rescue SystemCallError
        nil
      end
    end
  end
end
