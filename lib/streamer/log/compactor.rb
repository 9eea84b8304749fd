# frozen_string_literal: true

require "digest"

module Streamer
  class Log
    # An attempt's text: how much there is, its checksum, and what of it belongs into the next piece.
    #
    # An entry's text is the String that its data, a JSON object, has under "content".
    class Compactor # :nodoc:
      # A piece is made after so many bytes of text, or of entries that are none, or so many seconds.
      BYTES = 10_000
      SECONDS = 5

      # The text of an entry that the writer has as an object; nil when it has none.
      def self.text_of(data)
        return unless data.is_a?(Hash)

        content = data[:content] || data["content"]
        Encoder.utf8(content).b if content.is_a?(String)
      end

      # What finds it in JSON, the same as where a relay makes entries.
      CONTENT = Extractor.new("content")
      private_constant :CONTENT

      # The same of an entry that was read.
      def self.text_of_entry(entry)
        content = CONTENT.call(entry.data) if entry.kind == :data
        content.b if content.is_a?(String)
      rescue InvalidJSONError
        nil
      end

      # Bytes of text.
      attr_reader :length

      def initialize(now)
        @digest = Digest::SHA256.new
        @length = 0
        @since = now
        clear
      end

      # What an attempt that continues begins with: text that is in pieces already.
      def resume(text)
        @digest << text
        @length += text.bytesize
      end

      # A data entry; text: nil for one that has none.
      def add(frame, text)
        return @events << frame unless text

        @digest << text
        @length += text.bytesize
        @text << text
      end

      def sha256 = @digest.hexdigest

      def due?(now)
        size = @text.bytesize + @events.bytesize
        size >= BYTES || (size.positive? && now - @since >= SECONDS)
      end

      # What came since the last one, as a Piece.
      def piece(through, now)
        Piece.new(through: through, text: @text, events: @events).tap do
          @since = now
          clear
        end
      end

      # A piece that was not stored.
      def give_back(piece)
        return unless piece

        @text.prepend(piece.text)
        @events.prepend(piece.events)
      end

      private

      def clear
        @text = String.new(encoding: Encoding::BINARY)
        @events = String.new(encoding: Encoding::BINARY)
      end
    end
  end
end
