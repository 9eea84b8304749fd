# frozen_string_literal: true

module Streamer
  # decode: bytes of a body in, events out.
  #
  #   decoder = Streamer::Decoder.new
  #   decoder.feed(bytes) { |event| event.type; event.data; event.id }
  #   decoder.finish { |event| }
  #
  # Bytes may be cut anywhere. A decoder belongs to one thread or fiber at a time.
  class Decoder
    # format: what an event is.
    #   :sse      those of an event stream (WHATWG HTML Standard, sections 9.2.5 and 9.2.6)
    #   :ndjson   each line that is not blank
    #   :json     each element of an array, as soon as it is complete; a document that is no array
    #   :text     each read; characters and line ends are not cut
    #   :sniffed  as :sse, or as :json where the first byte begins an object or array
    # max_line, max_event: bytes; the defaults are 16 MiB for a line and 64 MiB for an event's data. (A longer text is several events.)
    # last_event_id: of an event stream that goes on from there.
    # done, error: see Decoder::Markers. By default no event is the end or an error. Behind the end marker nothing is yielded.
    # from: the type of the events that have the values of feed_values, or an Array of types, as in Pipeline; nil for any.
    # from_paths: how many of the paths, from the first, that is said of; 0 for all.
    def initialize(format: :sse, max_line: nil, max_event: nil, done: nil, error: nil, last_event_id: nil, from: nil, from_paths: 0)
      setup({ format:, max_line:, max_event:, from_paths:, last_event_id: last_event_id && Encoder.utf8(last_event_id.to_s),
              from: from && Array(from).map { |type| Encoder.utf8(type.to_s) }, markers: Markers.options(done, error) })
    end

    # Yields each Event that these bytes complete and returns how many; without a block, an Array of them.
    #
    # A block that raises or breaks loses nothing: what it left unread comes first at the next call. After
    # LineTooLongError or EventTooLargeError the stream cannot go on; every further call raises the same.
    def feed(bytes, &block)
      return feed_events(bytes, &block) if block

      events = []
      feed_events(bytes) { |event| events << event }
      events
    end

    # The body is over: as feed, for what was unfinished, such as a last line without an end. An event stream's unfinished event is
    # discarded, as in a browser. Raises TruncatedError when JSON was not closed, or the end marker that `done` names did not come.
    def finish(&block)
      return finish_events(&block) if block

      events = []
      finish_events { |event| events << event }
      events
    end

    # In C: Decoder.format_of, feed_values, finish_values, done?, last_event_id and retry.
  end
end

require_relative "decoder/markers"
