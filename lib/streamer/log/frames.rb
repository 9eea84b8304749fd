# frozen_string_literal: true

module Streamer
  class Log
    # The bytes of entries: the very frames that browsers get, one for each entry. A frame ends with an empty line and has no other, so
    # that whoever slices them needs no decoder; and the same id is the same bytes for ever.
    module Frames # :nodoc:
      # The last entry's event name => the state in which it leaves the log.
      CLOSES = { "done" => "completed", "failed" => "failed", "cancelled" => "cancelled", "timed_out" => "timed_out" }.freeze
      STATES = CLOSES.invert.freeze # state => event name
      RESERVED = [*CLOSES.keys, "attempt", "state", "gap", "closing", "heartbeat"].freeze

      END_OF_FRAME = "\n\n"
      private_constant :END_OF_FRAME

      class << self
        def entry(position, data, event: nil)
          Encoder.encode(data, event: event, id: position.to_s).b
        end

        # The first entry of an attempt: what readers do with what they have ("reset": drop it; "continue": keep it).
        def attempt(epoch, mode, from)
          entry(Position.new(epoch, 0), { n: epoch, mode: mode, from: (from.to_s unless from == Position::START) }, event: "attempt")
        end

        def count(frames) = frames.scan(END_OF_FRAME).size

        # What is behind `after` of a batch that begins with `first`, both of the same attempt.
        def after(frames, first, after)
          offset = 0
          (after - first + 1).times { offset = frames.index(END_OF_FRAME, offset) + END_OF_FRAME.bytesize }
          offset.zero? ? frames : frames.byteslice(offset..)
        end

        # The first frame's bytes.
        def first(frames) = frames.byteslice(0, frames.index(END_OF_FRAME) + END_OF_FRAME.bytesize)

        # Each frame's bytes.
        def split(frames) = frames.split(END_OF_FRAME).map { |frame| frame << END_OF_FRAME }

        # The entries in the frames, in order.
        def entries(frames)
          Decoder.new.feed(frames).map do |event|
            Entry.new(position: Position.parse(event.id), type: event.type, data: event.data)
          end
        end
      end
    end
  end
end
