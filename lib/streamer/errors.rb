# frozen_string_literal: true

require "json"
require_relative "reported"

module Streamer
  # The root of everything this gem raises on purpose. An error that concerns a request names it and says
  # what had been delivered before; both are also readable:
  #
  #   rescue Streamer::Error => error
  #     error.request     # "POST https://api.example.com/v1/chat/completions", without query and credentials; or nil
  #     error.delivered   # events, values or chunks that the caller's block had received before
  #     error.delivered?
  #     error.request_id  # as the upstream's head has it (x-request-id, request-id); or nil
  #     error.text        # the text that had come, where it is collected (collect:); or nil
  #
  # Wrong arguments are ArgumentErrors.
  class Error < StandardError
    # The name an error has for a browser and in Relay::Result#reason: its class's in snake case without "Error", such as "idle_timeout";
    # "internal" for anything that is no subclass of Streamer::Error.
    def self.name_of(error)
      return "internal" unless error.is_a?(Error) && !error.instance_of?(Error)

      name = error.class.name.to_s.split("::").last.to_s.delete_suffix("Error")
      name.empty? ? "internal" : name.gsub(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/, "_").downcase
    end

    # As in the example above: Strings or nil, and an Integer.
    attr_reader :request, :delivered, :request_id, :text

    # As Response#timings, of the exchange that failed; nil where there was none.
    attr_reader :timings

    # The frames that a pipeline had made of the same read before the failure: a String, often empty.
    attr_reader :frames

    def initialize(message = nil) # :nodoc:
      super
      @delivered = 0
      @frames = ""
    end

    # Whether the application had received something: then a retry would repeat it.
    def delivered? = delivered.positive?

    # Says to which request it happened and after how much. What is known already stays. Returns self.
    def concerning(request, delivered: 0, request_id: nil, text: nil)
      @request ||= request
      @request_id ||= request_id
      @text ||= text
      @delivered = [@delivered, delivered].max
      self
    end

    # Ends the transfer that it happened to, and keeps what it took. Returns self.
    def timed(transfer) # :nodoc:
      @timings ||= transfer.finish
      self
    end

    # With the request and what had been delivered, where they are known.
    def message
      return super unless request

      "#{super} (#{request}#{", after #{delivered} delivered" if delivered?})"
    end
  end

  # The exchange with the upstream broke.
  class ConnectionError < Error; end

  # The host name does not resolve. Check the URL and the name server.
  class ResolveError < ConnectionError; end

  # Nobody listens there, or a firewall is in between.
  class ConnectError < ConnectionError; end

  # The host has an address that the guard refuses (guard:), and none that it allows.
  class ForbiddenAddressError < ConnectionError; end

  # The server's certificate is not trusted, or not its own. A private CA is named with tls: { ca_file: }.
  class TLSError < ConnectionError; end

  # The upstream closed or reset the connection before its response was complete.
  class ClosedError < ConnectionError; end

  # The response ended cleanly but was incomplete: the end marker that `done:` names did not come, or JSON was not closed.
  class TruncatedError < ConnectionError; end

  # The upstream does not speak HTTP.
  class ProtocolError < ConnectionError; end

  # One of the client's timeouts ran out; which one is the class.
  class TimeoutError < Error; end

  # Waited longer than timeouts: { queue: } for a permit (see Streamer.limits=).
  class QueueTimeoutError < TimeoutError; end

  # No connection, with its TLS handshake, within timeouts: { connect: }.
  class ConnectTimeoutError < TimeoutError; end

  # No byte of the response within timeouts: { first_byte: }.
  class FirstByteTimeoutError < TimeoutError; end

  # No event with content within timeouts: { first_event: }.
  class FirstEventTimeoutError < TimeoutError; end

  # Nothing was received for timeouts: { idle: }.
  class IdleTimeoutError < TimeoutError; end

  # No event with content came for timeouts: { event_idle: }; comments and pings count as none.
  class EventIdleTimeoutError < TimeoutError; end

  # The whole took longer than timeouts: { total: }.
  class TotalTimeoutError < TimeoutError; end

  # The response is not what was expected: its status is not 2xx, its body is an error whatever the status, or it is no stream of events.
  #
  # json: the body parsed, or nil when it is not JSON. type, code, reason: what the upstream says of the error, Strings (a code may be an
  # Integer), or nil; found in JSON of any shape, in an HTML page's title and in plain text.
  class ResponseError < Error
    include Reported

    # The status, an Integer, and the Headers.
    attr_reader :status, :headers

    # The first Response::MAX_ERROR_BODY bytes of the response's body; text is well-formed UTF-8.
    attr_reader :body

    def initialize(status, headers, body, expectation = "") # :nodoc:
      @status = status
      @headers = headers
      @body = body
      super(["the upstream answered #{status}#{expectation}", reason].compact.join(": "))
    end

    private

    def said = body
  end

  # The upstream said within its stream that it failed: with an event of the type "error", or one that has an error in it. json, type, code,
  # reason: as in ResponseError, of the event's data.
  class UpstreamError < Error
    include Reported

    # The event's data, a String; the first 64 KiB.
    attr_reader :data

    # :event; or, of a response that was one JSON document, :document for its error and :unwanted for what nobody wanted.
    attr_reader :origin # :nodoc:

    def initialize(data, origin = :event) # :nodoc:
      @data = data.to_s.scrub # its last character may be cut
      @origin = origin
      super(["the upstream reported an error in its stream", reason].compact.join(": "))
    end

    private

    def said = data
  end

  # A redirect could not be followed: too many, no Location, or from https to http.
  class RedirectError < Error; end

  # Something is larger than allowed; the message names the limit.
  class LimitError < Error; end

  # A line of the body is longer than max_line:.
  class LineTooLongError < LimitError; end

  # An event is larger than max_event:.
  class EventTooLargeError < LimitError; end

  # The response head is larger than 256 KiB, or one of its fields than 100 KiB.
  class HeadersTooLargeError < LimitError; end

  # The body is larger than the max: of Response#read and Response#json.
  class BodyTooLargeError < LimitError; end

  # Something that has to be JSON is not: an event's data that a path is looked up in, Event#json, Response#json.
  class InvalidJSONError < Error; end

  # The request was cancelled, by Response#cancel or at the process's end.
  class CancelledError < Error; end

  # A CircuitBreaker is open: the upstream has failed too often, and was not asked.
  class CircuitOpenError < Error
    # The origin that it is open for: "https://api.example.com".
    attr_reader :origin

    # Seconds until it is tried again, if somebody asks; 0 when another request is just trying.
    attr_reader :retry_in

    def initialize(origin, retry_in) # :nodoc:
      @origin = origin
      @retry_in = retry_in
      super("#{origin} has failed too often and is not asked for another #{retry_in.ceil} s (circuit:)")
    end
  end

  # stream_events or relay_events was called while a database transaction is open, or a log on SQLite written to while the caller has one
  # open on the same file. Call it behind the transaction's block.
  class OpenTransactionError < Error
    def initialize(method, consequence = "which would stay open, with its locks and its connection, for as long as the stream lasts") # :nodoc:
      super("#{method} was called inside an open database transaction, #{consequence}: call it behind the transaction's block")
    end
  end

  # Something is the matter with a log.
  class LogError < Error; end

  # There is no log with this key (any more).
  class UnknownLogError < LogError
    def initialize(key) # :nodoc:
      super("there is no log #{key.inspect}: it was never made, or it was deleted")
    end
  end

  # The log belongs to another attempt now, or the lease could not be renewed in time: this writer can add nothing more.
  class FencedError < LogError; end

  # Somebody has asked this attempt to stop (Log#stop); the log was closed as "cancelled".
  class StoppedError < LogError; end

  # The log is closed: nothing can be added.
  class LogClosedError < LogError; end

  # An attempt has written more than Log::Writer::MAX_BYTES.
  class LogFullError < LogError; end

  # The store of the logs cannot be reached, or does not answer. Whether it did what was asked for is not known.
  class StoreUnavailableError < LogError; end

  # A generation was refused, since as many as are allowed are in progress. Its message is for the person who wanted one more.
  class LimitReachedError < Error
    # How many, an Integer, and in what they are counted, a Symbol or nil.
    attr_reader :count, :per

    def initialize(count, per) # :nodoc:
      @count = count
      @per = per
      super(Generation::Messages.limit(count))
    end
  end

  # The process is about to end, and a generation's work with it.
  class InterruptedError < Error; end

  # A position that a browser gave is none, or is one of another log.
  class InvalidPositionError < LogError; end

  # An object was made in the parent process and used after a fork.
  class ForkError < Error
    def timed(_transfer) = self # :nodoc: -- there is nothing to end
  end

  # The browser closed the stream, or took nothing for the write timeout (slow?).
  class BrowserDisconnectedError < Error
    # The error of a browser that took nothing for the write timeout.
    def self.slow = new("the browser took nothing for the write timeout").tap { |error| error.instance_variable_set(:@slow, true) }

    # Whether it took nothing for the write timeout; it may still be there.
    def slow? = @slow == true
  end
end
