# frozen_string_literal: true

require_relative "controller/collected"
require_relative "controller/follow_events"
require_relative "controller/durable_stream"
require_relative "controller/intake_action"
require_relative "controller/last_event_id"
require_relative "controller/negotiation"
require_relative "controller/relay_action"
require_relative "controller/stream_action"

module Streamer
  # For a Rails controller (Base, API), per action; its other actions stay what they are.
  #
  #   class AnswersController < ApplicationController
  #     include Streamer::Controller
  #
  #     def show
  #       stream_events do |events|
  #         events.write({ step: 1 }, event: "progress")
  #         events.relay client.post(...), value: "choices.0.delta.content", event: "token"
  #       end
  #     end
  #   end
  #
  # The block runs after the action has returned and the head is on its way (in a controller that includes
  # ActionController::Live: at once). It has the action's self, parameters, CurrentAttributes, I18n.locale, Time.zone, connected_to
  # and log tags; cookies, session and flash are already sent, and writing to them raises FrozenError. Leave it with `next`, not `return`.
  # Database connections go back to their pool when it begins and before every relay.
  #
  # Errors: before stream_events an ordinary error page. In the block, one report to Rails.error (source "streamer"), and to
  # the browser, as the last event,
  #
  #   event: error
  #   data: {"error":"idle_timeout","message":"..."}
  #
  # `error` is the name of the Streamer::Error, "internal" for every other; the message is the exception's own only where Rails
  # would show it too (config.consider_all_requests_local). A browser that leaves is no error: the block ends with
  # BrowserDisconnectedError, its ensure clauses run, nothing is reported.
  module Controller
    DEFAULT_HEARTBEAT = 15
    private_constant :DEFAULT_HEARTBEAT

    class << self
      # A controller that includes this gets the methods below and none of the constants in here: they would hide the application's own
      # from its code, a model named Delivery, for one. It gets respond_to, too, which ActionController::API leaves out.
      def append_features(controller) # :nodoc:
        controller.include(Actions, Negotiation, ::ActionController::MimeResponds)
      end

      # Seconds of silence after which a stream writes a comment, where the action does not say; :event for an event `heartbeat` in its place,
      # nil or 0 for none.
      attr_accessor :heartbeat

      # Seconds in which a browser may take nothing of what waits for it before it counts as gone.
      attr_accessor :write_timeout

      # Seconds after which follow_events ends a stream in its middle, for the browser to come back and go on: less than proxies on the way
      # give a response. nil for never.
      attr_accessor :rotate

      # Whether a stream is over when its request is, also where the server could do without the thread: for tests, see
      # Streamer::Testing.inline!
      attr_accessor :inline
    end
    self.heartbeat = DEFAULT_HEARTBEAT
    self.write_timeout = 30

    # What a controller gets. All methods are private there.
    module Actions
      private

      # Responds with an event stream; the block gets a Streamer::Sinks::Events. `headers` win over the stream's own.
      # heartbeat: as Controller.heartbeat. AbstractController::DoubleRenderError when the action has responded already, OpenTransactionError
      # inside a database transaction. HEAD does not run the block.
      #
      # As one of several formats: `respond_to { |format| format.event_stream { |events| ... } }`, with the same options. With json: true whoever
      # asks for JSON gets, when the stream has ended, the same events as { "events": [{ "event":, "id":, "data": }] }.
      def stream_events(status: 200, headers: {}, heartbeat: Controller.heartbeat, &block)
        raise ArgumentError, "stream_events needs a block" unless block
        raise AbstractController::DoubleRenderError if performed?

        Sinks::ConnectionPools.refuse_transaction("stream_events")
        Delivery.for(self).start(StreamAction.new(self, block), status: status, headers: headers, heartbeat: heartbeat)
      end

      # The whole response is one relay, and on Puma no thread waits for it: when the head is sent, the browser's socket is the native
      # thread's, and tokens pass whatever Ruby is doing. On Falcon the request's fiber waits meanwhile. With TLS in the server itself
      # and under ActionController::Live the same runs in the request's fiber or thread.
      #
      #   relay_events client.request(:post, "/v1/chat/completions", json: { ... }),
      #                value: "choices.0.delta.content", event: "token" do |result|
      #     answer.update!(content: result.text, status: result.status)
      #   end
      #
      # upstream: a Request or a provider's Chat, which is sent when the browser has the head; or a Response, which keeps the thread.
      # value, from, event, done, error, format, keep, max_line, max_event, frame, id_prefix, id_start: as in Pipeline. flush: { every: seconds,
      # bytes: 4096 }, for how long and up to how much frames may be held back. collect: bytes of text to gather for the result.
      # terminal: the last event after a complete response, { event:, data: }; nil for none. A browser closes its EventSource there.
      # retry: milliseconds, told at the start. key: for Streamer.stop; random unless given.
      # on_disconnect: :cancel ends the upstream when the browser leaves, :continue lets it finish.
      # on_text: called with what has come, at most each `every` seconds, never holding up a token.
      #
      # The block gets a Relay::Result, exactly once, however it ended: on one thread for all relays of the process, inside the Rails
      # executor, with the action's CurrentAttributes, I18n.locale and Time.zone. Keep it short. What it raises is reported.
      #
      # A browser whose stream fails gets the error event that stream_events describes; one whose process is about to end gets
      # `event: closing` with a `retry` of its own. Returns a Relay::Handle with `key` and `stop` (under ActionController::Live, and in
      # tests without a server, when all is over).
      #
      # log: a log that outlives the response: the same as relay_into, with its options.
      def relay_events(upstream, log: nil, status: 200, headers: {}, heartbeat: Controller.heartbeat, **options, &finished)
        return relay_into(log, upstream, headers: headers, heartbeat: heartbeat, **options, &finished) if log
        raise AbstractController::DoubleRenderError if performed?

        Sinks::ConnectionPools.refuse_transaction("relay_events")
        options[:retry_time] = options.delete(:retry)
        action = RelayAction.new(self, upstream, finished, **options)
        Delivery.for(self).start(action, status: status, headers: headers, heartbeat: heartbeat)
        Relay::Handle.new(action)
      end

      # Responds with a log (Streamer::Log), from where the browser has come to, until it is closed, whoever writes it and wherever:
      #
      #   def events = follow_events(current_user.answers.find(params[:id]).log)
      #
      # logs: each a Log, its key, or anything with `log`. Several have one connection, and one last event ID: "INDEX:E-S,E-S,…", INDEX being
      # the place of the log that the event is from. Whether the browser may read them is for the action to say, and is asked at every connect.
      #
      # The position is the browser's Last-Event-ID, or else the page's (last_event_id:), or else the start; docs/log.md says what follows from
      # it. A browser that has the close gets 204, which tells an EventSource not to come back. Clients that accept JSON and no event stream
      # get a page of entries (?after=, ?limit=).
      #
      # On Puma no thread waits, and no database connection; with TLS in the server itself, on Falcon and under ActionController::Live the
      # request's fiber or thread does.
      #
      # rotate: seconds after which the stream ends, for the browser to come back; as Controller.rotate. retry: milliseconds after which a
      # browser that lost it comes back; 1000 to 3000 unless given. heartbeat, headers: as in stream_events.
      #
      # Raises UnknownLogError (404 where nobody rescues it), InvalidPositionError (400), StoreUnavailableError (503),
      # AbstractController::DoubleRenderError, OpenTransactionError. HEAD gets the head.
      def follow_events(*logs, rotate: Controller.rotate, heartbeat: Controller.heartbeat, headers: {}, retry: nil)
        raise AbstractController::DoubleRenderError if performed?

        Sinks::ConnectionPools.refuse_transaction("follow_events")
        FollowEvents.new(self, logs, rotate: rotate, retry_time: binding.local_variable_get(:retry)).answer(headers: headers, heartbeat: heartbeat)
        nil
      end

      # Responds with a log, to be read by clients of the Durable Streams protocol (https://durablestreams.com): a stream of JSON messages, one
      # for each entry, { "id":, "event":, "data": }. GET with ?offset= (-1, now, or as Stream-Next-Offset says), and ?live=long-poll or sse; and
      # HEAD. It cannot be written to in that way. Raises as follow_events. Live readers keep the request's thread or fiber.
      def durable_stream(log)
        raise AbstractController::DoubleRenderError if performed?

        Sinks::ConnectionPools.refuse_transaction("durable_stream")
        DurableStream.new(self, log).answer
        nil
      end

      # Relays an upstream's answer into a log and responds with the log, as follow_events does. The first request for an open log that nobody
      # writes sends the upstream's request; every other, of a browser that comes back or of another page, follows what is there.
      #
      #   relay_into message.log, client.request(:post, "/v1/chat/completions", json: { ... }), value: "choices.0.delta.content" do |result|
      #     message.update!(content: result.text, status: result.status)
      #   end
      #
      # The answer outlives the browser, and Log#stop ends it from anywhere. No Ruby thread waits for it, nor for a browser on Puma: the native
      # thread reads the upstream, and entries go to the store in batches.
      #
      # log: a Log, its key, or anything with `log`. upstream: a Request or a provider's Chat. value, from, event, done, error, format, keep,
      # collect, max_line, max_event, on_text, every, close, interrupted: as in Log#relay. rotate, heartbeat, headers, retry: as in
      # follow_events. The block gets a Relay::Result as that of relay_events does, when the log is closed: in the request that has begun it.
      #
      # Returns a Relay::Handle with `key`, the log's, and `stop`. Raises as follow_events, and ArgumentError.
      def relay_into(log, upstream, rotate: Controller.rotate, heartbeat: Controller.heartbeat, headers: {}, retry: nil, **options, &finished)
        raise AbstractController::DoubleRenderError if performed?

        Sinks::ConnectionPools.refuse_transaction("relay_into")
        action = IntakeAction.new(self, log, upstream, finished, **options)
        action.start
        follow_events(log, rotate: rotate, heartbeat: heartbeat, headers: headers, retry: binding.local_variable_get(:retry))
        Relay::Handle.new(action)
      end

      # The id of the last event that the browser has, a String: as it says when it connects again (Last-Event-ID), or else as the page says
      # (last_event_id: of streamer_source and streamer_turbo_source); nil when it has none. Raises ActionController::BadRequest for one in the
      # URL that was not signed for this path.
      def last_event_id = LastEventID.of(request)
    end
  end
end
