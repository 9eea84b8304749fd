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
    # format: as in Decoder; nil for what Response#each_frames or a relay finds in the response's head, and :sse without them.
    # value: a path (see Extractor); an Array of paths; a Hash of name => path; or nil, and events pass through as they are. The name of a
    #   path's value in the frame's object is the last key in the path. Of a path with `*` the Strings are joined.
    # from: the type of the events that have these values, or an Array of types; nil for any. (OpenAI's responses have a "delta" in events
    #   of several types.) An event without a type of its own has the one in its data ("type").
    # event: the frames' event name; nil for none. An event stream's events that pass through keep their own.
    # id_prefix: what the frames' ids begin with; a number follows, of which id_start, 1 unless given, is the first. nil for no ids.
    # done, error: see Decoder::Markers. An event that is nothing but the end marker gives no frame, and the upstream's error is an
    #   UpstreamError.
    # frame: what is in a frame: :json for an object of the values; :text for the characters of the value, of one path; :raw for an event
    #   stream's own bytes, event by event, and `value` then only says what `collect` collects.
    # keep: a Hash of name => path; the last value of each is in #kept. Every event is then read to its end.
    # collect: bytes of the first value's characters, or of a body of text, to gather in #text; nil for none.
    # max_line, max_event: bytes, as in Decoder.
    #
    # :call-seq:
    #   Pipeline.new(format: nil, value: nil, from: nil, event: nil, id_prefix: nil, id_start: 1, done: :optional, error: "error",
    #                frame: :json, keep: {}, collect: nil, max_line: nil, max_event: nil)
    def initialize(**options)
      settings = Settings.of(options)
      @format = settings.format
      @collects = settings.collects?
      @values = settings.values?
      @kept_names = settings.kept_names
      setup(settings.compiled)
    end

    # In C: expect, feed, finish, done?, events, frames, text_from and text_cut?.

    # All that was collected.
    def text = text_from(0)

    # The same; nil where nothing is collected.
    def collected = (text if @collects) # :nodoc:

    # The last value of each kept path that had one: a Hash of name => value.
    def kept
      self.class.parse_kept(@kept_names) { |index| kept_value(index) }
    end

    # The names of the kept paths whose last value was larger than 1 MiB: #kept has the one before it, or none.
    def kept_truncated
      @kept_names.each_with_index.filter_map { |name, index| name if kept_too_large?(index) }
    end

    # As given.
    attr_reader :format # :nodoc:

    # Whether values are looked for, which text has not.
    def values? = @values # :nodoc:

    # The names of the kept paths, for whoever takes ownership of the pipeline.
    attr_reader :kept_names # :nodoc:

    def self.parse_kept(names) # :nodoc:
      names.each_with_index.filter_map do |name, index|
        json = yield(index)
        [name, Extractor.parse(json)] if json
      end.to_h
    end
  end
end

require "streamer/pipeline/settings"
