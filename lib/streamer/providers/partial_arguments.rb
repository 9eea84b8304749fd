# frozen_string_literal: true

module Streamer
  module Providers
    # Arguments of a tool call that come value by value, each with its place: the partialArgs of Gemini on Vertex AI.
    #
    #   { "jsonPath" => "$.trip.cities[0]", "stringValue" => "Par", "willContinue" => true }
    class PartialArguments # :nodoc:
      # Nesting of the arguments; what is deeper is left out.
      MAX_DEPTH = 100

      SEGMENT = /\.([^.\[\]]+)|\[(\d+)\]|\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/
      private_constant :SEGMENT

      def initialize
        @root = {}
      end

      def add(fields)
        fields.each { |field| place(keys(field["jsonPath"]), field) if field.is_a?(Hash) }
      end

      def to_json(*) = JSON.generate(@root)

      private

      def keys(path)
        path.to_s.scan(SEGMENT).map do |name, index, *quoted|
          index ? Integer(index, 10) : name || quoted.compact.first.gsub(/\\(.)/, '\1')
        end
      end

      def place(keys, field)
        return if keys.empty? || keys.size > MAX_DEPTH

        parent = @root
        keys.each_cons(2) do |key, following|
          return unless fits?(parent, key)

          parent = (parent[key] ||= following.is_a?(Integer) ? [] : {})
        end
        parent[keys.last] = value(field, parent[keys.last]) if fits?(parent, keys.last)
      end

      # Elements come in their order: an index further behind is a mistake, and would be a lot of memory.
      def fits?(parent, key)
        parent.is_a?(Array) ? key.is_a?(Integer) && key <= parent.size : parent.is_a?(Hash) && key.is_a?(String)
      end

      # A String goes on where one has begun.
      def value(field, previous)
        text = field["stringValue"]
        return previous.is_a?(String) ? previous << text : +text if text.is_a?(String)

        field.fetch("numberValue") { field["boolValue"] }
      end
    end
  end
end
