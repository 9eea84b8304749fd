# frozen_string_literal: true

require "json"

module Streamer
  # encode: frames of an event stream for any data.
  #
  #   Streamer::Encoder.encode({ step: 1 }, event: "progress", id: "7")  # => "event: progress\nid: 7\ndata: {\"step\":1}\n\n"
  #
  # What SSE cannot carry is refused with an ArgumentError, so no text from outside can add a field, a line or an event.
  module Encoder
    class << self
      # data: a String as it is, nil for none, anything else as JSON (to_json where Rails or JSON defines it).
      # event: a name without CR, LF or NUL. id: the same; "" resets the last event ID. retry: milliseconds, an Integer >= 0.
      # Returns a String in UTF-8; bytes that are not well-formed become U+FFFD.
      def encode(data, event: nil, id: nil, **rest)
        retry_time = rest.delete(:retry) # a keyword of the language cannot be read as a variable
        raise ArgumentError, "unknown keyword: #{rest.keys.first.inspect}" if rest.any?
        unless retry_time.nil? || (retry_time.is_a?(Integer) && retry_time.between?(0, (2**63) - 1))
          raise ArgumentError, "retry is an Integer of milliseconds, 0 or more; got #{retry_time.inspect}"
        end

        frame(text(data), field(event), field(id), retry_time)
      end

      # A comment, which browsers ignore: it keeps a connection alive, and shows that it is.
      def comment(text = "")
        comment_frame(utf8(text.to_s))
      end

      private

      def text(data)
        case data
        when nil then nil
        when String then utf8(data)
        else utf8(plain?(data) ? JSON.generate(data) : data.to_json)
        end
      end

      # A Hash of names to scalars, which most events are: what to_json would give, without Rails' walk over the object.
      def plain?(data)
        data.instance_of?(Hash) && data.all? do |name, value|
          (name.is_a?(String) || name.is_a?(Symbol)) &&
            case value
            when String, Symbol, Integer, true, false, nil then true
            end
        end
      end

      def field(value) = value.nil? ? nil : utf8(value.to_s)

      def utf8(string)
        return string if string.encoding == Encoding::UTF_8 && string.valid_encoding?

        string = string.encode(Encoding::UTF_8, invalid: :replace, undef: :replace, replace: "\u{FFFD}") unless
          [Encoding::UTF_8, Encoding::BINARY, Encoding::US_ASCII].include?(string.encoding)
        string.dup.force_encoding(Encoding::UTF_8).scrub("\u{FFFD}")
      end
    end
  end
end
