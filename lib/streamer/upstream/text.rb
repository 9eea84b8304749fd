# frozen_string_literal: true

module Streamer
  module Upstream # :nodoc:
    # The text of a body: well-formed UTF-8, whatever an upstream sends and however it names it (WHATWG Encoding Standard, "decode").
    module Text # :nodoc:
      MEDIA_TYPE = %r{\Atext/|[/+](?:json|xml)\z|\Aapplication/(?:x-)?(?:ndjson|jsonl|jsonlines|javascript|www-form-urlencoded)\z}
      JSON_TYPE = %r{[/+]json\z}

      MARKS = { "\xEF\xBB\xBF".b => Encoding::UTF_8, "\xFF\xFE".b => Encoding::UTF_16LE, "\xFE\xFF".b => Encoding::UTF_16BE }.freeze

      # What encodings are called that Ruby knows by another name, or takes for another one.
      LABELS = {
        "utf8" => Encoding::UTF_8, "unicode-1-1-utf-8" => Encoding::UTF_8, "utf_8" => Encoding::UTF_8,
        "latin1" => Encoding::Windows_1252, "iso-8859-1" => Encoding::Windows_1252, "iso8859-1" => Encoding::Windows_1252,
        "iso_8859-1" => Encoding::Windows_1252, "ascii" => Encoding::Windows_1252, "us-ascii" => Encoding::Windows_1252,
        "x-sjis" => Encoding::Windows_31J, "gb2312" => Encoding::GBK, "utf-16" => Encoding::UTF_16LE
      }.freeze

      # What Encoding.find takes for something of this process.
      RUBYS_OWN = %w[locale external filesystem internal].freeze

      private_constant :MEDIA_TYPE, :JSON_TYPE, :MARKS, :LABELS, :RUBYS_OWN

      class << self
        # bytes: BINARY. Text is decoded; all else stays as it is. headers: a Headers.
        def of(bytes, headers)
          text?(headers) ? decode(bytes, headers.charset) : bytes
        end

        # The same bytes, with the encoding that text has.
        def tagged(bytes, headers) = text?(headers) ? bytes.force_encoding(encoding_of(headers.charset)) : bytes

        def text?(headers)
          headers.charset ? encoding_of(headers.charset) != Encoding::BINARY : headers.media_type.to_s.match?(MEDIA_TYPE)
        end

        # Of something that is to be read as text whatever it is called.
        def decode(bytes, charset = nil)
          mark, encoding = MARKS.find { |prefix, _| bytes.byteslice(0, prefix.bytesize).b == prefix }
          bytes = bytes.byteslice(mark.bytesize..) if mark
          encoding ||= encoding_of(charset)
          utf8(bytes, encoding == Encoding::BINARY ? Encoding::UTF_8 : encoding)
        end

        def json?(headers) = headers.media_type.to_s.match?(JSON_TYPE)

        private

        def encoding_of(charset)
          label = charset.to_s.strip.downcase
          return Encoding::UTF_8 if label.empty? || RUBYS_OWN.include?(label)

          LABELS[label] || Encoding.find(label)
        rescue ArgumentError
          Encoding::UTF_8 # what it is most likely
        end

        def utf8(bytes, encoding)
          text = bytes.dup.force_encoding(encoding)
          return text.scrub("\u{FFFD}") if encoding == Encoding::UTF_8

          text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace, replace: "\u{FFFD}")
        rescue EncodingError # there is no way from there to UTF-8
          bytes.dup.force_encoding(Encoding::UTF_8).scrub("\u{FFFD}")
        end
      end
    end
  end
end
