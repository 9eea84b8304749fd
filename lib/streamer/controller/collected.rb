# frozen_string_literal: true

require_relative "delivery"

module Streamer
  module Controller
    # The stream as one JSON document, for clients that take no event stream: it is answered when the stream has ended, with the events as a
    # browser would have got them,
    #
    #   { "events": [{ "event": "token", "id": "1", "data": "{\"content\":\"t0 \"}" }] }
    #
    # with the status 500 when it ended with an error.
    class Collected < Delivery # :nodoc:
      HEADER = "streamer.collected"

      # What the block streams is collected.
      def self.within(controller)
        controller.request.set_header(HEADER, true)
        yield
      ensure
        controller.request.delete_header(HEADER)
      end

      # The events' bytes, for a sink.
      class Buffer
        attr_reader :bytes

        def initialize = @bytes = +"".b
        def write(bytes) = @bytes << bytes
        def close; end
      end
      private_constant :Buffer

      private

      def head = {}

      def send_head = @controller.head(@response.status, content_type: ::Mime[:json].to_s)

      def deliver(action)
        buffer = Buffer.new
        action.run(Sinks::Rack.new(buffer, heartbeat: nil))
        events = Decoder.new(done: nil).feed(buffer.bytes).map { |event| fields(event) }
        @controller.render(json: { events: events }, status: action.failed? ? 500 : @response.status)
      end

      def fields(event) = { event: event.type, id: event.id.presence, data: event.data }.compact
    end
  end
end
