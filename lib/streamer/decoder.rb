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
    # done, error: see Decoder::Markers. By default no event is an error.
    def initialize(format: :sse, max_line: nil, max_event: nil, done: :optional, error: nil)
      setup({ format:, max_line:, max_event:, markers: Markers.options(done, error) })
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
  end
end

require_relative "decoder/markers"
