# frozen_string_literal: true

require "json"
require_relative "upstream/body"
require_relative "upstream/url"

module Streamer
  # A request that is not sent yet: sent with #call, or by Streamer.merge, gather and relay_events when it is time.
  # It can be sent any number of times if its body is no IO.
  class Request
    # Seconds. nil or 0 switches one off.
    # queue: until it may be sent (see Streamer.limits); none of the others runs meanwhile.
    # connect: from then until it can be sent. first_byte: from its sending until the first byte of the response.
    # first_event: from the queue's end until the first event, or the first bytes of a body that is no event stream.
    # idle: between two reads. event_idle: between two events. total: from the queue's end until the response's.
    # Events without data and those of the type "ping" only keep a connection alive, and do not count; neither do comments.
    TIMEOUTS = { queue: 60, connect: 5, first_byte: nil, first_event: 60, idle: 60, event_idle: nil, total: 600 }.freeze

    # Seconds that a timeout may have: three years. What is more is a mistake.
    LONGEST = 100_000_000

    # Redirects that are followed unless told otherwise.
    REDIRECTS = 5

    DEFAULT_HEADERS = {
      "accept" => "text/event-stream, application/json, */*;q=0.5",
      "accept-encoding" => "identity", # a compressed event stream arrives in lumps
      "user-agent" => "streamer/#{VERSION}"
    }.freeze

    # Written from what is known of the request, and not from a caller's Hash.
    FRAMING_HEADERS = %w[host content-length transfer-encoding connection].freeze

    private_constant :LONGEST, :DEFAULT_HEADERS, :FRAMING_HEADERS

    # The method in capitals, and the headers: a Hash of lower-case name => value.
    attr_reader :method, :headers

    # A RetryPolicy; a CircuitBreaker or nil.
    attr_reader :retries, :circuit

    # An Upstream::URL, an Upstream::Body, an Upstream::ConnectionOptions, seconds by name, and how many redirects are followed.
    attr_reader :location, :body, :route, :timeouts, :redirects # :nodoc:

    # method: "GET", :post, ... url: http or https. headers: Hash of name => value; nil leaves a default out.
    # json: anything JSON, body: a String or IO; at most one of them. An IO is read as the upstream takes it.
    # timeouts: as TIMEOUTS, merged into it. redirects: how many to follow. retries: how often it is sent again when it came to nothing, a
    # number or a RetryPolicy; nil for never. circuit: a CircuitBreaker. way: proxy:, unix:, tls:, resolve:, guard:, as in
    # Upstream::ConnectionOptions, or route:, one of these. Raises ArgumentError for what cannot be sent.
    def initialize(method, url, headers: {}, json: nil, body: nil, timeouts: {}, redirects: REDIRECTS, retries: nil, circuit: nil,
                   route: nil, **way)
      @method = token(method.to_s.upcase, "method")
      location = Upstream::URL.parse(url)
      raise ArgumentError, "give json: or body:, not both" if json && body

      @body = Upstream::Body.new(json.nil? ? body : json.respond_to?(:to_json) ? json.to_json : JSON.generate(json))
      @headers = with_defaults(headers, json)
      @basic = location.credentials && !@headers.key?("authorization")
      @headers["authorization"] = basic(location.credentials) if @basic
      @location = location.without_credentials
      @timeouts = checked_timeouts(timeouts)
      @route = (way.empty? && route) || Upstream::ConnectionOptions.new(**way)
      @redirects = redirects
      @retries = RetryPolicy.of(retries)
      raise ArgumentError, "circuit must be a Streamer::CircuitBreaker (got #{circuit.class})" unless circuit.nil? || circuit.is_a?(CircuitBreaker)

      @circuit = circuit
    end

    # A String, without credentials and fragment.
    def url = @location.href

    # Sends it and returns the Response once its head is here, redirects followed and retries made. From any thread or fiber; inside a fiber
    # scheduler only the fiber waits. Raises Streamer::Error.
    def call = Upstream::Fetch.new(self).response

    # For logs and errors: no query, no credentials.
    def to_s = "#{method} #{@location}"

    def inspect = "#<Streamer::Request #{self}>"

    # Whether the body is read from an IO while it is sent.
    def streams_body? = @body.streamed? # :nodoc:

    # Scheme, host and port.
    def origin = @location.origin # :nodoc:

    # The same request with these headers over its own.
    def with_headers(headers) = with(headers: checked_headers(@headers.merge(headers))) # :nodoc:

    # The same request to another URL. Its credentials, if it has any, take the place of those that the URL had before.
    def to(location) # :nodoc:
      headers = @headers
      headers = headers.merge("authorization" => basic(location.credentials)) if location.credentials && (@basic || !headers.key?("authorization"))
      with(location: location.without_credentials, headers: headers)
    end

    # The same request but for these parts.
    def with(**parts) # :nodoc:
      dup.tap { |request| parts.each { |name, value| request.instance_variable_set(:"@#{name}", value) } }
    end

    # The Transfer that sends it off when it is started. A body that is streamed is uploaded after that. native: as one of the native thread,
    # also in a fiber scheduler.
    def prepare(native: false) # :nodoc:
      route = @route.to(@location)
      Transfer.new(method: method, target: @location.target, authority: headers["host"] || @location.authority,
                   fields: headers.except(*FRAMING_HEADERS), body: transfer_body, timeouts: @timeouts, route: route,
                   proxy_authorization: route.delete(:proxy_authorization), native: native)
    end

    private

    # With a Content-Length of 0 where some servers insist on one. An IO of unknown length may have been announced.
    def transfer_body
      return "" if @body.empty? && %w[POST PUT PATCH].include?(method)

      body = @body.for_transfer
      body == -1 && headers["content-length"]&.match?(/\A\d{1,18}\z/) ? headers["content-length"].to_i : body
    end

    def token(text, what)
      return text if text.match?(/\A[!#$%&'*+\-.^_`|~0-9A-Za-z]+\z/)

      raise ArgumentError, "#{text.inspect} is no HTTP #{what}"
    end

    def with_defaults(headers, json)
      own = checked_headers(headers)
      own["content-type"] = "application/json" if json && !own.key?("content-type")
      own["content-type"] = "application/octet-stream" unless @body.empty? || own.key?("content-type")
      DEFAULT_HEADERS.merge(own).compact
    end

    # Names in lower case, values that are Strings or nil.
    def checked_headers(headers)
      headers.to_h { |name, value| [token(name.to_s, "header name").downcase, value&.to_s] }.each do |name, value|
        raise ArgumentError, "the value of #{name} holds CR, LF or NUL" if value&.match?(/[\r\n\0]/)
      end
    end

    def basic(credentials) = "Basic #{[credentials].pack("m0")}"

    def checked_timeouts(timeouts)
      unknown = timeouts.keys - TIMEOUTS.keys
      raise ArgumentError, "unknown timeout #{unknown.first.inspect}; known are #{TIMEOUTS.keys.join(", ")}" if unknown.any?

      TIMEOUTS.merge(timeouts).each do |name, seconds|
        next if seconds.nil? || (seconds.is_a?(Numeric) && seconds.between?(0, LONGEST))

        raise ArgumentError, "the #{name} timeout is a number of seconds up to #{LONGEST}, or nil for none; got #{seconds.inspect}"
      end
    end
  end
end
