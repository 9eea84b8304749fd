# frozen_string_literal: true

module Streamer
  module Upstream
    # What stands for bytes that a URL cannot hold: "%20" (RFC 3986, section 2.1). A "+" is a plus, and a "%" that nothing follows a percent.
    module PercentEncoding # :nodoc:
      class << self
        # Encodes the bytes that the Regexp `set` matches.
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
