# frozen_string_literal: true

module Streamer
  class Log
    # Text that comes in pieces cut anywhere, in whole characters.
    class Characters # :nodoc:
      UTF_8 = [Encoding::UTF_8, Encoding::BINARY, Encoding::US_ASCII].freeze
      private_constant :UTF_8

      def initialize
        @rest = "".b
      end

      # What is whole of the text so far; the start of a character waits for its rest.
      def whole(text)
        text = text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace, replace: "\u{FFFD}") unless UTF_8.include?(text.encoding)
        bytes = @rest + text.b
        cut = incomplete(bytes)
        @rest = bytes.byteslice(bytes.bytesize - cut, cut)
        bytes.byteslice(0, bytes.bytesize - cut).force_encoding(Encoding::UTF_8)
      end

      # What is left of it when no more comes: U+FFFD for half a character.
      def rest
        @rest.empty? ? "" : "\u{FFFD}".tap { @rest = "".b }
      end

      private

      # How many bytes at the end begin a character and do not end it.
      def incomplete(bytes)
        1.upto([3, bytes.bytesize].min) do |count|
          byte = bytes.getbyte(-count)
          next if byte & 0xc0 == 0x80

          return length(byte) > count ? count : 0
        end
        0
      end

      def length(first)
        case first
        when 0xf0..0xf7 then 4
        when 0xe0..0xef then 3
        when 0xc0..0xdf then 2
        else 1
        end
      end
    end
  end
end
