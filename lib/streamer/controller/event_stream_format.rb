# frozen_string_literal: true

module Streamer
  module Controller
    # What the block of respond_to gets has this on top:
    #
    #   format.event_stream { |events| events.write("one") }            # as stream_events, with its options
    #   format.event_stream { relay_events(chat, event: "token") }      # a block without a parameter answers by itself
    #   format.event_stream(json: true) { |events| ... }                # and who wants JSON gets the same events in one document
    module EventStreamFormat # :nodoc:
      attr_writer :streamer_controller

      # Whether it was called.
      def event_stream? = @event_stream == true

      def event_stream(json: false, **options, &block)
        @event_stream = true
        return custom(::Mime[:event_stream]) unless block

        if block.arity.zero? && options.any?
          raise ArgumentError, "format.event_stream: a block without a parameter answers by itself, and #{options.keys.first}: belongs there"
        end

        custom(::Mime[:event_stream]) { answer(options, block) }
        custom(::Mime[:json]) { Collected.within(@streamer_controller) { answer(options, block) } } if json
      end

      private

      def answer(options, block)
        block.arity.zero? ? block.call : @streamer_controller.send(:stream_events, **options, &block)
      end
    end
  end
end
