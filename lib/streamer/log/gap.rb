# frozen_string_literal: true

module Streamer
  class Log
    # What a reader gets in the place of entries that it cannot get, or need not: the text up to a position, as an entry that is made for it,
    #
    #   event: gap
    #   id: 1-4000
    #   data: {"after":"1-10","through":"1-4000","content":"the whole text up to here","events":[{"id":"1-77","event":"source","data":"…"}]}
    #
    # `content` replaces the text that the reader has. `events` are the entries behind `after` that are no text, where there are any; after
    # "0-0" all that the reader had is void. A long text is in several: those after the first have "mode":"continue", and add to it.
    module Gap # :nodoc:
      # Bytes of text and events in one.
      BYTES = 1024 * 1024
      private_constant :BYTES

      class << self
        # Frames, a String each. pieces: of the text, in order. through: the position of the last one of them, or less.
        def frames(pieces, after:, through:)
          characters = Characters.new
          parts = parts_of(pieces)
          parts.each_with_index.map do |part, index|
            last = index == parts.size - 1
            content = characters.whole(part.map(&:text).join)
            content += characters.rest if last
            position = last ? through : part.last.through
            frame(position, content, part, after: after, continues: index.positive?)
          end
        end

        private

        def parts_of(pieces)
          size = 0
          parts = pieces.slice_before { |piece| (size += piece.text.bytesize + piece.events.bytesize) > BYTES && (size = 0) }.to_a
          parts.empty? ? [[]] : parts
        end

        def frame(position, content, pieces, after:, continues:)
          events = pieces.flat_map { |piece| Frames.entries(piece.events) }.select { |entry| entry.position > after }
          data = { after: after.to_s, through: position.to_s }
          data[:mode] = "continue" if continues
          data[:content] = content
          data[:events] = events.map { |entry| fields(entry) } unless events.empty?
          Frames.entry(position, data, event: "gap")
        end

        def fields(entry) = { id: entry.id, event: entry.type, data: entry.data }
      end
    end
  end
end
