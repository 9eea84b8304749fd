# frozen_string_literal: true

require "json"

module Streamer
  # encode: frames of an event stream for any data.
  #
  #   Streamer::Encoder.encode({ step: 1 }, event: "progress", id: "7")  # => "event: progress\nid: 7\ndata: {\"step\":1}\n\n"
  #
  # What SSE cannot carry is refused with an ArgumentError, so no text from outside can add a field, a line or an event.
  module Encoder
    # JSON.generate goes no deeper by itself.
    MAX_DEPTH = 100
    private_constant :MAX_DEPTH

    class << self
      # data: a String as it is, nil for none, anything else as JSON (to_json where Rails or JSON defines it).
      # event: a name without CR, LF or NUL. id: the same; "" resets the last event ID. retry: milliseconds, an Integer >= 0.
      #
      # Returns a String in UTF-8. Strings of another encoding are converted, also those in a Hash or an Array, and as its keys; bytes that
      # are not well-formed become U+FFFD. Raises ArgumentError for what JSON cannot express; what an object's own to_json raises is raised.
      def encode(data, event: nil, id: nil, **rest)
        retry_time = rest.delete(:retry) # a keyword of the language cannot be read as a variable
        raise ArgumentError, "unknown keyword: #{rest.keys.first.inspect}" if rest.any?
        unless retry_time.nil? || (retry_time.is_a?(Integer) && retry_time.between?(0, (2**63) - 1))
          raise ArgumentError, "retry must be an Integer of milliseconds, 0 or more; got #{retry_time.inspect}"
        end

        frame(text(data), field(event), field(id), retry_time)
      end

      # A comment, which browsers ignore: it keeps a connection alive, and shows that it is.
      def comment(text = "")
        comment_frame(utf8(text.to_s))
      end

      # The String as well-formed UTF-8; itself when it is. Bytes of no encoding are taken for UTF-8.
      def utf8(string) # :nodoc:
        return string if well_formed?(string)

        unless [Encoding::UTF_8, Encoding::BINARY, Encoding::US_ASCII].include?(string.encoding)
          begin
            return string.encode(Encoding::UTF_8, invalid: :replace, undef: :replace, replace: "\u{FFFD}")
          rescue Encoding::ConverterNotFoundError
            # Ruby knows the encoding's name only.
          end
        end
        string.dup.force_encoding(Encoding::UTF_8).scrub("\u{FFFD}")
      end

      private

      def text(data)
        case data
        when nil then nil
        when String then utf8(data)
        else utf8(json(data))
        end
      end

      def field(value) = value.nil? ? nil : utf8(value.to_s)

      def json(data)
        return JSON.generate(data) if plain?(data)

        json = to_json_of(normalize(data))
        return json if json.is_a?(String)

        raise ArgumentError, "#{data.class}#to_json must return a String; got #{json.inspect}"
      rescue JSON::JSONError, EncodingError, SystemStackError => error
        raise ArgumentError, "data cannot be encoded as JSON: #{utf8(error.message)[0, 200]}"
      end

      # An object of the application's may have ill-formed text in it that only shows as it is encoded.
      def to_json_of(data)
        data.to_json
      rescue JSON::GeneratorError, EncodingError
        raise unless data.respond_to?(:as_json)

        normalize(data.as_json).to_json
      end

      # A Hash of names to scalars, which most events are: what to_json would give, without Rails' walk over the object.
      def plain?(data)
        data.instance_of?(Hash) && data.all? { |name, value| plain_name?(name) && plain_value?(value) }
      end

      def plain_name?(name) = name.instance_of?(String) ? well_formed?(name) : (name.is_a?(Symbol) && well_formed?(name.name))

      def plain_value?(value)
        case value
        when String then value.instance_of?(String) && well_formed?(value)
        when Symbol then well_formed?(value.name)
        when Integer, true, false, nil then true
        end
      end

      def well_formed?(string)
        string.encoding == Encoding::UTF_8 ? string.valid_encoding? : string.encoding == Encoding::US_ASCII && string.ascii_only?
      end

      # The same with all text in it well-formed; itself when it is.
      def normalize(data, depth = 0)
        case data
        when String then utf8(data)
        when Symbol then well_formed?(data.name) ? data : utf8(data.name)
        when Hash then depth > MAX_DEPTH ? data : normalize_hash(data, depth)
        when Array then depth > MAX_DEPTH ? data : normalize_array(data, depth)
        else data
        end
      end

      def normalize_hash(hash, depth)
        changed = false
        pairs = hash.map do |name, value|
          pair = [normalize(name, depth + 1), normalize(value, depth + 1)]
          changed ||= !pair[0].equal?(name) || !pair[1].equal?(value)
          pair
        end
        changed ? pairs.to_h : hash
      end

      def normalize_array(array, depth)
        changed = false
        elements = array.map do |element|
          normalize(element, depth + 1).tap { |copy| changed ||= !copy.equal?(element) }
        end
        changed ? elements : array
      end
    end
  end
end
