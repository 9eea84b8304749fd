# frozen_string_literal: true

module Streamer
  # decode: bytes of an event stream in, events out (WHATWG HTML Standard, sections 9.2.5 and 9.2.6).
  #
  #   decoder = Streamer::Decoder.new
  #   decoder.feed(bytes) { |event| event.type; event.data; event.id }
  #
  # Bytes may be cut anywhere. A decoder belongs to one thread or fiber at a time.
  class Decoder
    # max_line, max_event: bytes; the defaults are 16 MiB for a line and 64 MiB for an event's data.
    def initialize(max_line: nil, max_event: nil)
      setup(max_line, max_event)
    end

    # Yields each Event that these bytes complete and returns how many; without a block, an Array of them.
    #
    # A block that raises or breaks loses nothing: what it left unread comes first at the next call. After
    # LineTooLong or EventTooLarge the stream cannot go on; every further call raises the same.
    def feed(bytes, &block)
      return feed_events(bytes, &block) if block

      events = []
      feed_events(bytes) { |event| events << event }
      events
    end
  end
end
