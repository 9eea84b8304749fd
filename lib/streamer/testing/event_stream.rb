# frozen_string_literal: true

require_relative "clock"
require_relative "event_stream/received"
require_relative "event_stream/tap"

module Streamer
  module Testing
    # An event stream that a test reads as it comes, without a server and without waiting for real time. Between two reads the action's
    # block stands still in its write, so a test sees what is there at that moment, and an endless stream hangs nobody.
    #
    #   stream = open_event_stream("/imports/1")
    #   stream.next.json          # the next event; nil at the end
    #   stream.seconds            # how long after the one before, on the stream's clock
    #   stream.disconnect         # as a browser that leaves
    #   stream.resume.next        # as one that comes back: the same request, with Last-Event-ID
    #
    # A `sleep` in the controller takes no time but advances the stream's clock; heartbeats come on the same clock. A controller that includes
    # ActionController::Live is not read as it comes: tests of Rails buffer it.
    class EventStream
      # What waits too long, in real time; the message says where the action stands.
      Late = Class.new(StandardError)

      # Seconds of real time that an action may take from one event to the next.
      PATIENCE = 10

      # The response's status, an Integer, and its headers.
      attr_reader :status, :headers

      # The id of the last event that was read, "" before the first one that has one: what a browser sends when it comes back.
      attr_reader :last_event_id

      # The comments that came before the event that was read last, Strings; heartbeats among them.
      attr_reader :comments

      # The stream's Clock.
      attr_reader :clock

      # app: the Rack application. clock: anything with `now` and `sleep`, a Clock unless given. timeout: see PATIENCE. opened: an Array that
      # gets this stream, and those that resume it. The block makes the request, with the Rack application and the Last-Event-ID (nil for
      # none) that it is given, in a thread of the stream's own. Waits for the head; raises what the application raises.
      def initialize(app, clock: nil, timeout: PATIENCE, last_event_id: nil, opened: [], &request)
        @app, @clock, @timeout, @request, @opened = app, clock || Clock.new, timeout, request, opened
        @last_event_id = last_event_id.to_s
        @decoder = Decoder.new(done: nil)
        @comments = []
        @events = []
        @seconds = 0.0
        @seen_at = @clock.now
        @tap = Tap.new(app, @clock) { |tap| request.call(tap, last_event_id) }
        opened << self
        @status, @headers = @tap.head(timeout) || late("did not answer")
      end

      # The next event, with `at`: the moment it was written, on the stream's clock. nil when the stream has ended. Late when none comes
      # in time.
      def next
        @comments = [] if @events.empty?
        read until @events.any? || ended?
        event = @events.shift or return
        @seconds = event.at - @seen_at
        @seen_at = event.at
        @last_event_id = event.id
        event
      end

      # All events that are left, an Array; waits for the stream's end. As next for each.
      def events
        [].tap do |rest|
          while (event = self.next)
            rest << event
          end
        end
      end

      # Seconds on the stream's clock between the event that was read last and the one before it, or the stream's opening.
      attr_reader :seconds

      # Whether the action has ended and everything that it wrote has been read.
      def ended? = @events.empty? && @tap.ended?

      # Leaves as a browser does, and waits until the action has ended: its next write raises BrowserDisconnectedError, a relay's
      # upstream is cancelled. Late when the action goes on. nil.
      def disconnect
        @tap.leave
        late("goes on although the browser has left") unless @tap.wait_ended(@timeout)
        @events.clear
        nil
      end

      # The same request once more, by a browser that has seen what was read here: Last-Event-ID is that of the last event. Leaves
      # this stream if it is still open. Returns another EventStream.
      def resume
        disconnect unless @tap.ended?
        seen = @last_event_id unless @last_event_id.empty?
        EventStream.new(@app, clock: @clock, timeout: @timeout, last_event_id: seen, opened: @opened, &@request)
      end

      # Whether it is an event stream that a browser's EventSource takes: 200 and text/event-stream.
      def event_stream? = status == 200 && media_type == "text/event-stream"

      # The body of a response that is no event stream, a String.
      def body = @tap.body

      def inspect = "#<#{self.class.name} #{status} #{media_type}#{" ended" if ended?}>"

      private

      def media_type = headers.find { |name, _| name.casecmp?("content-type") }&.last.to_s[/\A[^;]*/]

      def read
        parts = @tap.take(@timeout) || late("sent no event")
        parts.each do |bytes, at|
          @comments.concat(bytes.scan(/^: ?(.*)$/).flatten) if bytes.start_with?(":")
          @decoder.feed(bytes) { |event| @events << Received.new(event, at) }
        end
      end

      def late(what)
        raise Late, "the action #{what} within #{@timeout} s; it stands at\n#{@tap.backtrace.first(12).join("\n")}"
      end
    end
  end
end
