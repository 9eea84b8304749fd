# frozen_string_literal: true

require "json"

module Oracle
  # A path of keys and indexes joined by dots, over a document that is parsed whole.
  module JSONPath
    MISSING = Object.new.freeze

    # The first occurrence of a key counts.
    class FirstWins < Hash
      def []=(key, value)
        super unless key?(key)
      end
    end

    # The value, or MISSING.
    def self.find(json, path)
      document = JSON.parse(json, object_class: FirstWins, max_nesting: false)
      path.split(".").inject(document) do |node, segment|
        case node
        when Hash then node.fetch(segment) { return MISSING }
        when Array then segment.match?(/\A\d+\z/) ? node.fetch(segment.to_i) { return MISSING } : (return MISSING)
        else return MISSING
        end
      end
    end

    # The key under which a path's value is found in a frame: its last segment that is no index.
    def self.name(path)
      path.split(".").grep_v(/\A\d+\z/).last || path
    end
  end
end
