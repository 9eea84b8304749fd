# frozen_string_literal: true

require_relative "connection_pools"

module Streamer
  module Sinks
    # What the block of stream_events gets: events for one browser.
    #
    #   events.write({ step: 1 }, event: "progress", id: "7", retry: 1500)
    #   events.comment("still at it")
    #   events.relay client.post(...), value: "choices.0.delta.content", event: "token"
    #
    # Several threads or fibers may use it at once; frames never interleave. A write raises BrowserDisconnectedError once the
    # browser has left; let it pass, the stream ends there. While the block waits, the browser gets heartbeats.
    class Events
      autoload :TurboStream, "streamer/sinks/events/turbo_stream"
      private_constant :TurboStream

      def initialize(sink, controller = nil) # :nodoc:
        @sink = sink
        @controller = controller
      end

      # One event. `data`: a String as it is, nil for none, anything else as JSON. `fields`: event, id, retry (milliseconds).
      # ArgumentError for what SSE cannot carry (a line break in a field). Returns self.
      def write(data, **fields)
        @sink.write(Encoder.encode(data, **fields))
        self
      end

      # A comment: no browser shows it. Returns self.
      def comment(text = "")
        @sink.write(Encoder.comment(text))
        self
      end

      # Writes Turbo Stream actions, as unnamed events, which is what Turbo's own <turbo-stream-source> hears: see
      # SourceHelper#streamer_turbo_source.
      #
      #   events.turbo_stream.append "messages", partial: "messages/message", locals: { message: message }
      #   events.turbo_stream(id: message.id).replace message
      #
      # fields: id and retry of the event. The result has turbo-rails' methods (append, prepend, replace, update, remove, before, after, refresh,
      # their *_all, and those that the application adds), each of which writes one event and returns this. Raises Streamer::Error where there
      # is no turbo-rails, or no view, as in ActionController::API; ArgumentError for other fields.
      def turbo_stream(**fields) = TurboStream.new(self, @controller, fields)

      # Writes another event stream to the browser until it ends; nil. upstream: a Response; or a Request or a provider's Chat, which is sent now.
      # With `value`, each event that has this part (a JSON path) becomes {"name":part} under the type `event`; without, events pass as
      # they are. The other options as in relay_events: done, frame, id_prefix, flush.
      #
      # Nothing of it runs in Ruby where the sink is a socket. Raises ResponseError for a non-2xx response; an error passes on
      # after everything that had arrived was written. Database connections of this thread or fiber go back to their pool first.
      def relay(upstream, **options)
        upstream, declared = Relay::Options.of(upstream)
        options = Relay::Options.new(**declared, **options)
        ConnectionPools.release
        @sink.relay(upstream, options)
        nil
      end

      # false from the moment the browser's leaving was noticed.
      def connected? = @sink.connected?

      # Ends the stream before the block does. Further writes raise BrowserDisconnectedError.
      def close = @sink.close
    end
  end
end
