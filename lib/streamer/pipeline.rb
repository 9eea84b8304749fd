# frozen_string_literal: true

module Streamer
  # pipeline: decode, extract and encode in one, per read.
  #
  #   pipeline = Streamer::Pipeline.new(value: "choices.0.delta.content", event: "token")
  #   pipeline.feed(bytes)   # => "event: token\ndata: {\"content\":\"Hel\"}\n\n..."
  #
  # An event without the value, or with null there, gives no frame. A pipeline belongs to one stream.
  class Pipeline
    # value: a path; an Array of paths; a Hash of name => path; or nil, and events pass through as they are. The name of a
    #   path's value in the frame's object is its last segment that is no index.
    # event: the frames' event name; nil for none.
    # done: the data of an event that marks the end and is not JSON; nil for none.
    # text: true for frames of the value's characters instead of a JSON object; goes with one path.
    # max_line, max_event: bytes, as in Decoder.
    def initialize(value: nil, event: nil, done: "[DONE]", text: false, max_line: nil, max_event: nil)
      paths = value.is_a?(Hash) ? value.transform_keys(&:to_s) : Array(value).to_h { |path| [name_of(path.to_s), path] }
      raise ArgumentError, "two values have the same name; give a Hash of name => path" if paths.size < Array(value).size
      raise ArgumentError, "text: true goes with exactly one path" if text && paths.size != 1

      setup(paths.values.map { |path| utf8(path) }, paths.keys.map { |name| utf8(name) }, event && utf8(event),
            done && utf8(done), text, max_line, max_event)
    end

    # feed(bytes) returns the frames of all events that these bytes complete, possibly "". Raises LineTooLong, EventTooLarge or
    # ExtractError; the error's #frames are those made of the same bytes before it. After an error every
    # further call raises the same.
    #
    # done? is true once the end marker has come. events and frames count.

    private

    def name_of(path)
      path.split(".").reverse_each.find { |segment| !segment.match?(/\A\d+\z/) } || path
    end

    def utf8(string) = string.to_s.encode(Encoding::UTF_8)
  end
end
