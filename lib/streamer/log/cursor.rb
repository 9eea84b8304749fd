# frozen_string_literal: true

module Streamer
  class Log
    # How far a browser has followed one log, or several on one connection: what it says when it connects again (Last-Event-ID), or else what
    # its page says (last_event_id: of streamer_source and streamer_turbo_source), or else nothing yet.
    #
    # Of several logs it is "INDEX:E-S,E-S,…", a position for each of them in their order.
    module Cursor # :nodoc:
      COMBINED = /\A\d{1,2}:(.*)\z/
      private_constant :COMBINED

      class << self
        # A Position for each of `count` logs. Raises InvalidPositionError; ActionController::BadRequest where the page's was not signed for
        # this path.
        def of(request, count = 1) = parse(Controller::LastEventID.of(request), count)

        # The same of a String, nil for none.
        def parse(text, count = 1)
          return Array.new(count, Position::START) if text.nil?

          positions = (count == 1 ? [text] : several(text)).map { |position| Position.parse(position) }
          return positions if positions.size == count && positions.all?

          raise InvalidPositionError, "#{text[0, 100].inspect} is no position #{count == 1 ? "of a log" : "in each of #{count} logs"}"
        end

        # What Last-Event-ID is to be for these.
        def dump(positions)
          positions.one? ? positions.first.to_s : "0:#{positions.join(",")}"
        end

        private

        def several(text) = text[COMBINED, 1].to_s.split(",", -1)
      end
    end
  end
end
