# frozen_string_literal: true

module Streamer
  # pipeline: decode, extract and encode in one, per read.
  #
  #   pipeline = Streamer::Pipeline.new(value: "choices.0.delta.content", event: "token")
  #   pipeline.feed(bytes)   # => "event: token\ndata: {\"content\":\"Hel\"}\n\n..."
  #
  #   pipeline.finish        # the body is over
  #
  # An event without the value, or with null there, gives no frame. A pipeline belongs to one stream.
  class Pipeline
    RAW_FORMATS = [nil, :sse, :sniffed].freeze
    private_constant :RAW_FORMATS

    # format: as in Decoder; nil for what Response#each_frames or a relay sees in the answer's head, and :sse without them.
    # value: a path; an Array of paths; a Hash of name => path; or nil, and events pass through as they are. The name of a
    #   path's value in the frame's object is its last segment that is no index.
    # from: the type of the events that have these values; nil for any. (OpenAI's responses have a "delta" in events of several types.)
    # event: the frames' event name; nil for none. An event stream's events that pass through keep their own.
    # id: what the frames' ids begin with; a number counted from 1 follows. nil for none.
    # done, error: see Watch. An event that is nothing but the end marker gives no frame, and the upstream's error is an UpstreamError.
    # text: true for frames of the value's characters instead of a JSON object; goes with one path.
    # raw: true for an event stream's own bytes, event by event; `value` then only says what `collect` collects.
    # keep: a Hash of name => path; the last value of each is there in #kept. Every event is then read to its end.
    # collect: bytes of the first value's characters, or of a body of text, to gather in #text; nil for none.
    # max_line, max_event: bytes, as in Decoder.
    def initialize(format: nil, value: nil, from: nil, event: nil, id: nil, done: :optional, error: "error", text: false, raw: false,
                   keep: {}, collect: nil, max_line: nil, max_event: nil)
      paths = value.is_a?(Hash) ? value : Array(value).to_h { |path| [name_of(path.to_s), path] }
      raise ArgumentError, "two values have the same name; give a Hash of name => path" if paths.size < Array(value).size
      raise ArgumentError, "text: true goes with exactly one path" if text && paths.size != 1
      raise ArgumentError, "raw: true goes with format: :sse" if raw && !RAW_FORMATS.include?(format)
      raise ArgumentError, "keep is a Hash of name => path; got #{keep.inspect}" unless keep.is_a?(Hash)

      @format = format
      @collects = !collect.nil?
      @values = paths.any? || keep.any?
      raise ArgumentError, "text has no values: format: :text goes without value: and keep:" if @values && format == :text

      @kept_names = keep.keys
      setup(format, strings(paths.values), strings(paths.keys), strings(keep.values),
            [event, id, from].map { |field| field && utf8(field) }, Watch.options(done, error), [text, raw], [collect, max_line, max_event])
    end

    # feed(bytes) returns the frames of all events that these bytes complete, possibly "". Raises LineTooLongError, EventTooLargeError,
    # InvalidJSONError or UpstreamError; the error's #frames are those made of the same bytes before it. After an error every
    # further call raises the same.
    #
    # finish returns the frames of what was unfinished at the body's end. Raises as feed, and TruncatedError when that was no end: `done`
    # names a marker that did not come, or JSON was not closed.
    #
    # done? is true once the end marker has come. events and frames count. text_from(n) is what was collected, from the n-th byte;
    # text_cut? is true when some of it did not fit.

    # All that was collected.
    def text = text_from(0)

    # The same; nil where nothing is collected.
    def collected = (text if @collects) # :nodoc:

    # The last value of each kept path that had one: a Hash of name => value.
    def kept
      self.class.parse_kept(@kept_names) { |index| kept_value(index) }
    end

    # As given.
    attr_reader :format # :nodoc:

    # Whether values are looked for, which text has not.
    def values? = @values # :nodoc:

    # The names of the kept paths, for whoever takes the pipeline over.
    attr_reader :kept_names # :nodoc:

    def self.parse_kept(names) # :nodoc:
      names.each_with_index.filter_map do |name, index|
        json = yield(index)
        [name, Extractor.parse(json)] if json
      end.to_h
    end

    private

    def name_of(path)
      path.split(".").reverse_each.find { |segment| !segment.match?(/\A\d+\z/) } || path
    end

    def strings(values) = values.map { |value| utf8(value) }

    def utf8(string) = string.to_s.encode(Encoding::UTF_8)
  end
end
