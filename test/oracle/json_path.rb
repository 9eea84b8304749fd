# frozen_string_literal: true

require "json"

module Oracle
  # A path over a document that is parsed whole: keys and indexes joined by dots, `*` for every element, with a filter in braces, the
  # String that the value must be in braces at the end, and alternatives with "|" between them.
  module JSONPath
    MISSING = Object.new.freeze
    ALTERNATIVE = /(?:\{[^}]*\}|[^|])+/
    SEGMENT = /(?:\{[^}]*\}|[^.])+/

    # The first occurrence of a key counts.
    class FirstWins < Hash
      def []=(key, value)
        super unless key?(key)
      end
    end

    class << self
      # The value, or MISSING. strings: of `*`, the Strings joined in place of an Array.
      def find(json, path, strings: false)
        document = JSON.parse(json, object_class: FirstWins, max_nesting: false)
        alternatives = path.scan(ALTERNATIVE).map { |alternative| segments(alternative) }
        alternatives.each do |segments, wanted|
          value = value_of(document, segments, wanted, strings)
          scalar = ![nil, MISSING].include?(value) && !(value.is_a?(Enumerable) && segments.none? { |segment| segment.start_with?("*") })
          return value if scalar || alternatives.one?
        end
        MISSING
      end

      # The key under which a path's value is found in a frame: its last segment that is a key.
      def name(path)
        segments(path[ALTERNATIVE]).first.grep_v(/\A(?:\d+|\*|\*\{.*\})\z/).last || path
      end

      private

      # And the String that the value must be, or nil.
      def segments(alternative)
        wanted = alternative[/\{=([^}]*)\}\z/, 1]
        [alternative.delete_suffix("{=#{wanted}}").scan(SEGMENT), wanted]
      end

      def value_of(document, segments, wanted, strings)
        found = walk(document, segments)
        found = found.select { |value| value == wanted } if wanted
        return found.fetch(0, MISSING) unless segments.any? { |segment| segment.start_with?("*") }

        found = strings ? found.grep(String) : found.compact
        return MISSING if found.empty?

        strings ? found.join : found
      end

      def walk(node, segments)
        return [node] if segments.empty?

        segment, *rest = segments
        case segment
        when "*", /\A\*\{/ then elements(node, segment).flat_map { |element| walk(element, rest) }
        else
          return walk(node[segment], rest) if node.is_a?(Hash) && node.key?(segment)
          return walk(node[segment.to_i], rest) if node.is_a?(Array) && segment.match?(/\A(?:0|[1-9]\d*)\z/) && segment.to_i < node.size

          []
        end
      end

      def elements(node, segment) = node.is_a?(Array) ? node.select { |element| passes?(element, segment) } : []

      def passes?(element, segment)
        case segment
        when "*" then true
        when /\A\*\{!(.*)\}\z/ then !(element.is_a?(Hash) && element[$1])
        when /\A\*\{(.*?)=(.*)\}\z/ then element.is_a?(Hash) && element[$1] == $2
        end
      end
    end
  end
end
