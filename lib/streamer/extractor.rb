# frozen_string_literal: true

module Streamer
  # extract: values at JSON paths, without building the document.
  #
  #   Streamer::Extractor.new("choices.0.delta.content").call(json)         # => "Hel"
  #   Streamer::Extractor.new("choices.0.delta.content", "usage").call(json) # => ["Hel", nil]
  #
  # A path is keys and array indexes joined by dots. The parse stops at the last wanted value, so what follows it is not
  # checked; of a key that occurs twice the first counts. An extractor may be shared by threads.
  class Extractor
    # At most 16 paths of at most 32 segments; ArgumentError otherwise.
    def initialize(*paths)
      raise ArgumentError, "at least one path is wanted" if paths.empty?

      setup(paths.map { |path| path.to_s.encode(Encoding::UTF_8) })
    end

    # call(json) returns a String, Integer, Float, true, false, nil (also where the path is missing), Hash or Array; with
    # several paths an Array of these. Raises ExtractError when json is not JSON, or nested deeper than 128.

    # An object or array at a path. C has bounded its depth.
    def self.parse(json)
      JSON.parse(json, max_nesting: false)
    rescue JSON::ParserError => error
      raise ExtractError, "the event's data is not valid JSON: #{error.message[0, 200]}"
    end
    private_class_method :parse
  end
end
