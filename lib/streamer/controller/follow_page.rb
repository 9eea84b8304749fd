# frozen_string_literal: true

module Streamer
  module Controller
    # A log as a JSON document, for clients that take no event stream, or want to see what there is and no more:
    #
    #   GET /answers/1/events?after=1-57&limit=100
    #   { "entries": [{ "id": "1-58", "event": "token", "data": "{\"content\":\"t0 \"}" }],
    #     "head": { "position": "1-58", "attempt": 1, "phase": "running", "state": null }, "next": "1-58" }
    #
    # after: a position, "0-0" unless given; Last-Event-ID before it. limit: how many entries at most. `next` is `after` for the following
    # page; when it is the head's position there is nothing more yet, and with a `state`, never.
    class FollowPage # :nodoc:
      LIMIT = 500
      MOST = 1000
      private_constant :LIMIT, :MOST

      # Raises InvalidPositionError for parameters that are none.
      def initialize(controller, keys)
        @controller = controller
        @keys = keys
        @parameters = controller.request.query_parameters
        @after = position
        @limit = limit
      end

      # Raises UnknownLogError, StoreUnavailableError.
      def render
        return @controller.head(:not_acceptable) if @keys.size > 1 # each has pages of its own

        catch_up = Log::CatchUp.new(Log.store, @keys.first, @after)
        raise UnknownLogError, @keys.first if catch_up.mode == :gone

        @controller.render(json: document(catch_up))
      end

      private

      def document(catch_up)
        entries = entries(catch_up)
        { entries: entries.map { |entry| { id: entry.id, event: entry.type, data: entry.data } },
          head: head(catch_up.head), next: (entries.empty? ? @after : entries.last.position).to_s }
      end

      def entries(catch_up)
        catch_up.give_up if catch_up.ahead?
        found = []
        while found.size < @limit && (frames = catch_up.next)
          found.concat(Log::Frames.entries(frames))
        end
        found.first(@limit)
      end

      def head(head) = { position: head.position.to_s, attempt: head.epoch, phase: head.phase, state: head.state }

      def position
        given = @controller.request.headers[LastEventID::HEADER].presence || @parameters["after"]
        Log::Cursor.parse(given.nil? ? nil : Encoder.utf8(given.to_s)).first
      end

      def limit
        given = @parameters.fetch("limit", LIMIT).to_s
        raise InvalidPositionError, "limit is a number from 1 to #{MOST}; got #{given[0, 100].inspect}" unless given.match?(/\A[1-9]\d{0,6}\z/)

        [given.to_i, MOST].min
      end
    end
  end
end
