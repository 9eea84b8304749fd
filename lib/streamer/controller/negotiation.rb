# frozen_string_literal: true

require_relative "accept"
require_relative "event_stream_format"

module Streamer
  module Controller
    # Event streams among the formats of an action, and what follows from a client that accepts them: what a controller gets on top of Rails'
    # own methods.
    module Negotiation # :nodoc:
      # Whoever accepts nothing but event streams gets templates and partials in HTML all the same: in events, and where an action answers
      # with a page instead.
      def formats=(formats)
        super(formats&.include?(:event_stream) ? formats | [:html] : formats)
      end

      private

      def process_action(*)
        Accept.name_event_stream(request)
        super
      rescue StandardError
        Accept.make_error_readable(request)
        raise
      end

      # With format.event_stream as in EventStreamFormat.
      def respond_to(*formats)
        return super unless block_given?

        offered = false
        super() do |collector|
          collector.extend(EventStreamFormat).streamer_controller = self
          yield collector
          offered = collector.event_stream?
          # Otherwise afterwards, when Rails has said what it knows; but here the head may go out within the answer.
          Accept.vary(response) if offered && Delivery.live?(self)
        end
        Accept.vary(response) if offered
      end
    end
  end
end
