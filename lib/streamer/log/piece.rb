# frozen_string_literal: true

module Streamer
  class Log
    # A part of a log's text, kept beside the entries that it came in: whoever comes late gets the text in one entry, and the entries up
    # to `through` may be deleted.
    class Piece
      # The Position of the last entry in it.
      attr_reader :through

      # What the entries have added to the text, a binary String: a character may be in two pieces.
      attr_reader :text

      # The frames of those entries that are not text, such as an application's own events.
      attr_reader :events

      # For stores.
      def initialize(through:, text:, events: "")
        @through = through
        @text = text
        @events = events
        freeze
      end
    end
  end
end
