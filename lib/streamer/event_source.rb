# frozen_string_literal: true

require_relative "instrumentation"
require_relative "upstream/sleeper"

module Streamer
  # An event stream that is connected again when it ends or breaks (WHATWG HTML Standard, section 9.2), as a browser's EventSource does it,
  # and a block instead of listeners.
  #
  #   client.events("/feed") { |event| ... }                   # until the upstream says 204, or the block breaks
  #   source = client.events("/feed", last_event_id: "41")
  #   source.each_event { |event| ... }                        # source.close from any thread or fiber ends it
  #
  # - The last event ID is sent along as Last-Event-ID.
  # - 204 ends it. Any status but 200, another media type than text/event-stream, an untrusted certificate, and a line or an event that is
  #   too long are errors, and raised. (What retries: of the client covers is tried again first.)
  # - All else, the stream's end, a broken connection, an idle timeout, is followed by another connection, to the URL it began with, after
  #   the reconnection time: what the upstream said last in `retry`, 3 seconds until then, and never less than 0.1 seconds. That doubles
  #   with each connection in a row that has brought no event, up to `max_delay`, and up to a quarter is added at random. Only an event
  #   sets it back, no connection.
  #
  # Each reconnection is published as reconnect.streamer (request, wait, failures, error) where ActiveSupport::Notifications is loaded.
  # Belongs to one thread or fiber at a time, close excepted.
  class EventSource
    # Seconds until a first reconnection where the upstream has named no `retry`.
    RECONNECTION_TIME = 3

    # Seconds in which one connection is not followed by another, whatever `retry` says, and the most of it that is believed.
    MIN_DELAY = 0.1
    MAX_RECONNECTION_TIME = 86_400

    private_constant :MIN_DELAY, :MAX_RECONNECTION_TIME

    # What the next connection will send: "" for none.
    attr_reader :last_event_id

    # Seconds.
    attr_reader :reconnection_time

    # request: a GET Request. last_event_id: where to begin. max_delay: seconds, of a wait that has doubled. max_failures: how many connections in
    # a row may bring no event before the last error is raised; nil for any number, as in a browser.
    def initialize(request, last_event_id: "", reconnection_time: RECONNECTION_TIME, max_delay: 60, max_failures: nil)
      raise ArgumentError, "an event source is read with GET; got #{request.method}" unless request.method == "GET"

      @request = request.with_headers("accept" => "text/event-stream", "cache-control" => "no-store")
      @last_event_id = last_event_id.to_s
      @reconnection_time = reconnection_time
      @max_delay = max_delay
      @max_failures = max_failures
      @failures = 0
      @sleeper = Upstream::Sleeper.new
    end

    # Yields each Event, connection after connection; returns self at the end. Called again, it goes on behind the last event.
    def each_event(&block)
      return to_enum(__method__) unless block

      until @closed || (error = connection(&block)) == :over
        wait = next_wait
        raise_when_in_vain(error)
        Instrumentation.publish("reconnect", request: @request.to_s, wait: wait, failures: @failures, error: error)
        @sleeper.wait(wait)
      end
      self
    end

    # Ends it for good. From any thread or fiber, any number of times; each_event then returns.
    def close
      @closed = true
      @sleeper.cancel
      @fetch&.cancel
    end

    # Whether #close was called, or the upstream has ended it with 204.
    def closed? = @closed == true

    def inspect = "#<Streamer::EventSource #{@request}>"

    private

    # One connection, to its end: :over, the error that ended it, or nil.
    def connection(&block)
      @delivering = false
      @failures += 1
      @fetch = Upstream::Fetch.new(request)
      @fetch.cancel if @closed
      return :over if (response = @fetch.response).status == 204

      verify(response)
      read(response, &block)
      nil
    rescue CancelledError
      raise if @delivering || !@closed

      :over
    rescue ConnectionError, TimeoutError => error
      raise if @delivering || error.is_a?(TLSError) || error.is_a?(TotalTimeoutError)

      error
    end

    def request
      last_event_id.empty? ? @request : @request.with_headers("last-event-id" => last_event_id)
    end

    def verify(response)
      response.ensure_stream!
      return if response.status == 200 && response.event_stream?

      response.cancel
      raise ResponseError.new(response.status, response.headers, "", ", and not 200 with an event stream").concerning(@request.to_s)
    end

    def read(response, &block)
      decoder = Decoder.new(done: nil, last_event_id: last_event_id)
      response.each_read do |bytes|
        decoder.feed(bytes) do |event|
          @failures = 0
          @last_event_id = event.id
          @delivering = true
          response.hand_over(event, &block)
          @delivering = false
        end
        @last_event_id = decoder.last_event_id
        @reconnection_time = [decoder.retry / 1000.0, MAX_RECONNECTION_TIME].min if decoder.retry
      end
    end

    def next_wait
      base = [reconnection_time, MIN_DELAY].max
      return base * rand(1.0..1.25) if @failures.zero?

      [base * (2**[@failures - 1, 32].min), [@max_delay, base].max].min * rand(1.0..1.25)
    end

    def raise_when_in_vain(error)
      return if @max_failures.nil? || @failures < @max_failures

      error ||= ClosedError.new("the event stream ended #{@failures} times in a row without an event (max_failures:)")
      raise error.concerning(@request.to_s)
    end
  end
end
