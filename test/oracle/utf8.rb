# frozen_string_literal: true

module Oracle
  # "UTF-8 decode" of the WHATWG Encoding Standard (the decoder of section 8.1.1, and one byte order mark removed), as it is
  # written there: one byte after the other, and none of Ruby's own ideas of what is ill-formed.
  module UTF8
    REPLACEMENT = "\uFFFD"

    def self.decode(bytes)
      characters(bytes.b).delete_prefix("\uFEFF")
    end

    def self.characters(bytes)
      queue = bytes.bytes
      out = +""
      code_point = seen = needed = 0
      lower = 0x80
      upper = 0xBF
      until queue.empty?
        byte = queue.shift
        if needed.zero?
          case byte
          when 0x00..0x7F then out << byte
          when 0xC2..0xDF
            needed = 1
            code_point = byte & 0x1F
          when 0xE0..0xEF
            lower = 0xA0 if byte == 0xE0
            upper = 0x9F if byte == 0xED
            needed = 2
            code_point = byte & 0xF
          when 0xF0..0xF4
            lower = 0x90 if byte == 0xF0
            upper = 0x8F if byte == 0xF4
            needed = 3
            code_point = byte & 0x7
          else out << REPLACEMENT
          end
        elsif byte.between?(lower, upper)
          lower = 0x80
          upper = 0xBF
          code_point = (code_point << 6) | (byte & 0x3F)
          seen += 1
          if seen == needed
            out << code_point
            code_point = seen = needed = 0
          end
        else
          code_point = seen = needed = 0
          lower = 0x80
          upper = 0xBF
          queue.unshift(byte)
          out << REPLACEMENT
        end
      end
      needed.zero? ? out : out << REPLACEMENT
    end
    private_class_method :characters
  end
end
