# frozen_string_literal: true

module Streamer
  module Upstream
    # RFC 3986, section 2.1. Unlike in forms, "+" is a plus. A "%" without two hexadecimal digits is a percent sign.
    module PercentEncoding # :nodoc:
      class << self
        # set: a Regexp of the bytes to encode.
        def encode(text, set)
          return text if text.ascii_only? && !text.match?(set)

          text.b.gsub(set) { |byte| format("%%%02X", byte.ord) }.force_encoding(Encoding::UTF_8)
        end

        def decode(text)
          return text unless text.include?("%") || !text.ascii_only?

          text.b.gsub(/%\h\h/) { |escape| escape[1, 2].hex.chr }.force_encoding(Encoding::UTF_8)
        end
      end
    end
  end
end
