# frozen_string_literal: true

module Streamer
  # The root of everything this gem raises on purpose. An error that concerns a request names it and says
  # what had been delivered before; both are also readable:
  #
  #   rescue Streamer::Error => error
  #     error.request     # "POST https://api.example.com/v1/chat/completions", without query and credentials; or nil
  #     error.delivered   # events, values or chunks that the caller's block had received before
  #     error.delivered?
  #
  # Wrong arguments are ArgumentErrors.
  class Error < StandardError
    # The name an error has for a browser: "idle_timeout", or "internal" for what is not one of ours.
    def self.name_of(error)
      return "internal" unless error.is_a?(Error)

      error.class.name.split("::").last.gsub(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/, "_").downcase
    end

    attr_reader :request, :delivered

    # As Response#timings, of the exchange that failed; nil where there was none.
    attr_reader :timings

    # The frames that a pipeline had made of the same read before the failure: a String, often empty.
    attr_reader :frames

    def initialize(message = nil)
      super
      @delivered = 0
      @frames = ""
    end

    def delivered? = delivered.positive?

    # Says to which request it happened and after how much. What is known already stays. Returns self.
    def concerning(request, delivered: 0)
      @request ||= request
      @delivered = delivered if @delivered.zero?
      self
    end

    # Ends the transfer that it happened to, and keeps what it took. Returns self.
    def timed(transfer) # :nodoc:
      @timings ||= transfer.finish
      self
    end

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
  class ForbiddenAddress < ConnectionError; end

  # The server's certificate is not trusted, or not its own. A private CA is named with tls: { ca_file: }.
  class TLSError < ConnectionError; end

  # The upstream closed or reset the connection before its answer was complete.
  class ClosedError < ConnectionError; end

  # The upstream does not speak HTTP.
  class ProtocolError < ConnectionError; end

  # One of the client's timeouts ran out; which one is the class.
  class TimeoutError < Error; end
  class QueueTimeout < TimeoutError; end
  class ConnectTimeout < TimeoutError; end
  class FirstByteTimeout < TimeoutError; end
  class FirstEventTimeout < TimeoutError; end
  class IdleTimeout < TimeoutError; end
  class EventIdleTimeout < TimeoutError; end
  class TotalTimeout < TimeoutError; end

  # The upstream answered, and not as expected: with a status other than 2xx, or with something that is no event stream.
  class ResponseError < Error
    attr_reader :status, :headers

    # The first Response::MAX_ERROR_BODY bytes of the answer's body.
    attr_reader :body

    def initialize(status, headers, body, expectation = "")
      @status = status
      @headers = headers
      @body = body
      super(["the upstream answered #{status}#{expectation}", reason].compact.join(": "))
    end

    # The body parsed, or nil when it is not JSON.
    def json
      JSON.parse(body)
    rescue JSON::ParserError
      nil
    end

    private

    # What APIs put where a person is to read it: {"error":{"message":"…"}}, {"error":"…"} or {"message":"…"}.
    def reason
      document = json
      return unless document.is_a?(Hash)

      error = document["error"]
      text = error.is_a?(Hash) ? error["message"] : error || document["message"]
      text[0, 200] if text.is_a?(String)
    end
  end

  # A redirect could not be followed: too many, no Location, or from https to http.
  class RedirectError < Error; end

  # Something is larger than allowed; the message names the limit.
  class LimitError < Error; end
  class LineTooLong < LimitError; end
  class EventTooLarge < LimitError; end
  class HeadersTooLarge < LimitError; end
  class BodyTooLarge < LimitError; end

  # An event's data is not the JSON that a path was asked of.
  class ExtractError < Error; end

  # The request was cancelled, by Response#cancel or at the process's end.
  class CancelledError < Error; end

  # An object was made in the parent process and used after a fork.
  class ForkError < Error
    def timed(_transfer) = self # :nodoc: -- there is nothing to end
  end

  # The browser closed the stream, or took nothing for the write timeout (slow?).
  class ClientDisconnected < Error
    def self.slow = new("the browser took nothing for the write timeout").tap { |error| error.instance_variable_set(:@slow, true) }

    def slow? = @slow == true
  end
end
