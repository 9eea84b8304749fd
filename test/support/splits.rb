# frozen_string_literal: true

# The ways to cut bytes into reads: whole, in two at every point, and byte by byte. What comes out must not depend on it.
module Splits
  # Yields a name for failure messages and an Array of Strings.
  def self.each(bytes)
    bytes = bytes.b
    yield "whole", [bytes]
    (1...bytes.bytesize).each { |at| yield "cut at #{at}", [bytes.byteslice(0, at), bytes.byteslice(at..)] }
    yield "byte by byte", bytes.each_char.to_a
  end

  # An Array of reads of random sizes.
  def self.random(bytes, random, largest = 40)
    pieces = []
    offset = 0
    while offset < bytes.bytesize
      pieces << bytes.byteslice(offset, random.rand(1..largest))
      offset += pieces.last.bytesize
    end
    pieces
  end
end
