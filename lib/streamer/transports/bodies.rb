# frozen_string_literal: true

module Streamer
  module Transports
    # A body that is read as an IO, of a length that somebody else knows, in bytes. Rewinds if what it reads does.
    class SizedBody # :nodoc:
      attr_reader :size, :pos

      def initialize(source, size)
        @source = source
        @size = size
        @pos = 0
      end

      def read(length)
        @source.read(length)&.tap { |bytes| @pos += bytes.bytesize }
      end

      def rewind
        raise IOError, "#{@source.class} does not rewind" unless @source.respond_to?(:rewind)

        @source.rewind
        @pos = 0
      end
    end

    # An Enumerator of Strings, read as an IO.
    class EnumeratedBody # :nodoc:
      def initialize(pieces)
        @pieces = pieces
        @rest = String.new
      end

      def read(length)
        @rest << @pieces.next.b while @rest.bytesize < length
        @rest.slice!(0, length)
      rescue StopIteration
        @rest.slice!(0, length) unless @rest.empty?
      end
    end
  end
end
