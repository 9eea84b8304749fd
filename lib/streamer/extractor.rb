# frozen_string_literal: true

module Streamer
  # extract: values at JSON paths, without building the document.
  #
  #   Streamer::Extractor.new("choices.0.delta.content").call(json)         # => "Hel"
  #   Streamer::Extractor.new("choices.0.delta.content", "usage").call(json) # => ["Hel", nil]
  #
  # A path is keys and array indexes joined by dots.
  #
  #   "parts.*.text"              every element of an array, in order: an Array of the values. Elements without the key, or with null
  #                               there, are passed over; when none is left the value is nil.
  #   "parts.*{!thought}.text"    only elements whose `thought` is missing, null or false
  #   "parts.*{type=text}.text"   only elements whose `type` is the String "text"
  #   "content|content.*.text"    alternatives: the first that has a value counts. null is no value, and neither is an object or array
  #                               that an alternative without `*` leads to.
  #   "status{=failed}"           the value, if it is the String "failed"
  #
  # The parse stops at the last wanted value, so what follows it is not checked; of a key that occurs twice the first
  # counts. An extractor may be shared by threads.
  class Extractor
    # At most 16 paths with 30 alternatives in all, each of at most 32 segments; ArgumentError otherwise.
    def initialize(*paths)
      raise ArgumentError, "expected at least one path" if paths.empty?

      setup(paths.map { |path| Encoder.utf8(path.to_s) })
    end

    # In C: call.

    # Half of a surrogate pair, told from a whole one and from what is behind another backslash.
    HALF = /\\u[dD][89abAB]\h\h\\u[dD][c-fC-F]\h\h|(\\u[dD][89a-fA-F]\h\h)|\\./
    SURROGATE = /\\u[dD][89a-fA-F]/
    private_constant :HALF, :SURROGATE

    # The name of a path's value where none is given: the last key in it.
    def self.name_of(path) # :nodoc:
      segments = path[FIRST_ALTERNATIVE].sub(VALUE_FILTER, "").scan(SEGMENT)
      segments.reverse_each.find { |segment| !segment.match?(NO_KEY) } || path
    end

    FIRST_ALTERNATIVE = /\A(?:\*\{[^}]*\}|\{=[^}]*\}|[^|])*/
    VALUE_FILTER = /\{=[^}]*\}\z/
    SEGMENT = /\*\{[^}]*\}|[^.]+/
    NO_KEY = /\A(?:\d+|\*|\*\{.*\})\z/
    private_constant :FIRST_ALTERNATIVE, :VALUE_FILTER, :SEGMENT, :NO_KEY

    # What C found at a path: it has bounded the depth, and lets pass two things that the parser would refuse. A key may occur twice, and
    # half of a pair, which a token's end may have cut off, is U+FFFD as it is in a string.
    # nesting: how deep it may be; more than C lets pass, unless told otherwise.
    def self.parse(json, nesting: 256) # :nodoc:
      whole = json.scrub
      whole = whole.gsub(HALF) { |escape| Regexp.last_match(1) ? "\\ufffd" : escape } if whole.match?(SURROGATE)
      JSON.parse(whole, max_nesting: nesting, allow_duplicate_key: true)
    rescue JSON::ParserError => error
      raise InvalidJSONError, "the event's data is not valid JSON: #{error.message[0, 200]}"
    end
  end
end
