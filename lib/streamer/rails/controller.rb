# frozen_string_literal: true

require_relative "action"
require_relative "delivery"
require_relative "result"

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
  # ActionController::Live: at once). It has the action's self, parameters, CurrentAttributes, I18n.locale and Time.zone;
  # cookies, session and flash are already sent. Leave it with `next`, not `return`. Database connections go back to their
  # pool when it begins and before every relay.
  #
  # Errors: before stream_events an ordinary error page. In the block, one report to Rails.error (source "streamer"), and to
  # the browser, as the last event,
  #
  #   event: error
  #   data: {"error":"idle_timeout","message":"..."}
  #
  # `error` is the name of the Streamer::Error, "internal" for every other; the message is the exception's own only where Rails
  # would show it too (config.consider_all_requests_local). A browser that leaves is no error: the block ends with
  # ClientDisconnected, its ensure clauses run, nothing is reported.
  module Controller
    class << self
      # Seconds of silence after which a stream writes a comment, where the action does not say; nil or 0 for none.
      attr_accessor :heartbeat
    end
    self.heartbeat = 15

    private

    # Answers with an event stream; the block gets a Streamer::Sinks::Events. `headers` win over the stream's own.
    # AbstractController::DoubleRenderError when the action has answered already. HEAD does not run the block.
    def stream_events(status: 200, headers: {}, heartbeat: Controller.heartbeat, &block)
      raise ArgumentError, "stream_events needs a block" unless block
      raise AbstractController::DoubleRenderError if performed?

      Delivery.for(self).start(Action.new(self, block), status: status, headers: headers, heartbeat: heartbeat)
    end

    # The whole answer is one relay: `value` and `event` as in Events#relay, the other options as in stream_events.
    # `upstream` is a Response, or a Request, which is sent when the browser has the head. The block gets a Result when the
    # relay has ended, however it ended.
    def relay_events(upstream, value: nil, event: nil, **options, &finished)
      stream_events(**options) do |events|
        Result.of(upstream, events, value: value, event: event, &finished)
      end
    end
  end
end
