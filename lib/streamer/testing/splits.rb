# frozen_string_literal: true

module Streamer
  module Testing
    # Where a body is cut into the pieces that a client reads. What an application makes of it must not depend on that.
    #
    #   nil            not at all
    #   7              after every 7 bytes; 1 is the worst that can happen
    #   [10, 25]       at these offsets
    #   :characters    within every character of more than one byte, so that no piece is valid UTF-8 by itself
    module Splits
      # An Array of binary Strings, none of them empty.
      def self.of(bytes, split)
        bytes = bytes.b
        offsets = offsets(bytes, split).select { |offset| offset.between?(1, bytes.bytesize - 1) }.uniq.sort
        [0, *offsets, bytes.bytesize].each_cons(2).map { |first, last| bytes.byteslice(first...last) }.reject(&:empty?)
      end

      def self.offsets(bytes, split)
        case split
        when nil then []
        when Integer then split.step(bytes.bytesize, split).to_a
        when Array then split
        when :characters then bytes.each_byte.with_index(1).filter_map { |byte, offset| offset if byte >= 0xC0 }
        else raise ArgumentError, "split is nil, a number of bytes, an Array of offsets or :characters; got #{split.inspect}"
        end
      end
      private_class_method :offsets
    end
  end
end
