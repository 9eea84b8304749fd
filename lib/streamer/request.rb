# frozen_string_literal: true

require "json"
require_relative "instrumentation"
require_relative "upstream/url"

module Streamer
  # A request that is not sent yet: sent with #call, or by Streamer.merge, gather and relay_events when its turn comes.
  # It can be sent any number of times if its body is no IO.
  class Request
    # Seconds. nil or 0 switches one off.
    # queue: until it may be sent (see Streamer.limits); none of the others runs meanwhile.
    # connect: from then until it can be sent. first_byte: from its sending until the first byte of the answer.
    # first_event: from the queue's end until the first event, or the first bytes of a body that is no event stream.
    # idle: between two reads. event_idle: between two events. total: from the queue's end until the answer's.
    # Events without data and those of the type "ping" only keep a connection alive, and do not count; neither do comments.
    TIMEOUTS = { queue: 60, connect: 5, first_byte: nil, first_event: 60, idle: 60, event_idle: nil, total: 600 }.freeze

    # Seconds that a timeout may have: three years. What is more is a mistake.
    LONGEST = 100_000_000

    REDIRECTS = 5

    # Sent to another origin too; all other headers stay where they were meant for.
    SHAREABLE_HEADERS = %w[accept accept-encoding accept-language cache-control content-type last-event-id user-agent].freeze

    DEFAULT_HEADERS = {
      "accept" => "text/event-stream, application/json, */*;q=0.5",
      "accept-encoding" => "identity", # a compressed event stream arrives in lumps
      "user-agent" => "streamer/#{VERSION}"
    }.freeze

    # What libcurl sends of its own accord where we say nothing.
    LIBCURLS_HEADERS = %w[accept content-type expect].freeze

    private_constant :LONGEST, :SHAREABLE_HEADERS, :DEFAULT_HEADERS, :LIBCURLS_HEADERS

    attr_reader :method, :headers

    # A RetryPolicy; a CircuitBreaker or nil.
    attr_reader :retries, :circuit

    # method: "GET", :post, ... url: http or https. headers: Hash of name => value; nil leaves a default out.
    # json: anything JSON, body: a String or IO; at most one of them. An IO is read as the upstream takes it.
    # timeouts: as TIMEOUTS, merged into it. redirects: how many to follow. retries: how often it is sent again when it came to nothing, a
    # number or a RetryPolicy; nil for never. circuit: a CircuitBreaker. way: proxy:, unix:, tls:, resolve:, guard:, as in Upstream::ConnectionOptions, or route:, a Upstream::ConnectionOptions.
    # Raises ArgumentError for what cannot be sent.
    def initialize(method, url, headers: {}, json: nil, body: nil, timeouts: {}, redirects: REDIRECTS, retries: nil, circuit: nil, route: nil, **way)
      @method = token(method.to_s.upcase, "method")
      @url = Upstream::URL.parse(url)
      raise ArgumentError, "give json: or body:, not both" if json && body

      @body = json.nil? ? body : json.respond_to?(:to_json) ? json.to_json : JSON.generate(json)
      @headers = checked(headers, json)
      @timeouts = checked_timeouts(timeouts)
      @route = way.empty? && route || Upstream::ConnectionOptions.new(**way)
      @redirects = redirects
      @followed = 0
      @retries = RetryPolicy.of(retries)
      raise ArgumentError, "circuit is a Streamer::CircuitBreaker; got #{circuit.class}" unless circuit.nil? || circuit.is_a?(CircuitBreaker)

      @circuit = circuit
    end

    # A String, without credentials and fragment.
    def url = @url.href

    # Sends it and returns the Response once its head is here, redirects followed and retries made. From any thread or fiber; inside a fiber
    # scheduler only the fiber waits. Raises Streamer::Error.
    def call = Upstream::Exchange.new(self).response

    # For logs and errors: no query, no credentials.
    def to_s = "#{method} #{@url}"

    def inspect = "#<Streamer::Request #{self}>"

    # The Transfer of a Relay, which sends it off. Not for a body that is read from an IO.
    def prepare = transfer # :nodoc:

    # Whether the body is read from an IO while it is sent.
    def streams_body? = @body.respond_to?(:read)

    # The request that an answer redirects to (Fetch Standard, HTTP-redirect fetch); nil when it does not, or is not to be
    # followed. elapsed: seconds of the total timeout that are over.
    def redirect_of(status, headers, elapsed) # :nodoc:
      return unless Response::REDIRECTS.include?(status) && @redirects.positive?
      raise RedirectError, "redirected more often than #{@redirects} times (redirects:)" if @followed == @redirects

      redirected(status, destination(headers["location"]), elapsed)
    rescue RedirectError => error
      raise error.concerning(to_s)
    end

    # Scheme, host and port.
    def origin = @url.origin # :nodoc:

    # Sends it once and returns the Response to it, whatever its status. Yields the Transfer as soon as it is under way.
    def exchange # :nodoc:
      transfer = self.transfer.start
      yield transfer
      upload(transfer) if streams_body?
      status = transfer.wait_head
      Response.new(self, transfer, status)
    rescue Error => error
      raise error.concerning(to_s)
    ensure
      transfer&.cancel if status.nil?
    end

    # The same request with these headers over its own.
    def with_headers(headers) # :nodoc:
      dup.tap { |request| request.headers = checked(@headers.merge(headers), nil) }
    end

    # What follows an attempt that took `elapsed` seconds: the Request to send, and in how many seconds; nil when nothing does. outcome,
    # answered, attempts: as in RetryPolicy#wait_after.
    def another(outcome, answered, attempts, elapsed) # :nodoc:
      wait = retries.wait_after(outcome, method, answered, attempts)
      return if wait.nil? || wait >= time_left(elapsed) || !(following = again(elapsed + wait))

      cause = outcome.respond_to?(:status) ? { status: outcome.status } : { error: outcome }
      Instrumentation.publish("retry", request: to_s, attempt: attempts + 1, wait: wait, **cause)
      [following, wait]
    end

    protected

    attr_writer :followed, :headers, :timeouts

    private

    def destination(location)
      raise RedirectError, "redirected without a Location" if location.nil?

      target = @url.resolve(location)
      raise RedirectError, "redirected from https to http" if @url.scheme == "https" && target.scheme == "http"
      raise RedirectError, "redirected with credentials to another origin" if target.credentials && !@url.same_origin?(target)

      target
    rescue Upstream::InvalidURLError => error
      raise RedirectError, "redirected to a URL that cannot be requested: #{error.message}"
    end

    def redirected(status, target, elapsed)
      same_origin = @url.same_origin?(target)
      as_get = (status == 303 && !%w[GET HEAD].include?(method)) || ([301, 302].include?(status) && method == "POST")
      headers = same_origin ? @headers : @headers.slice(*SHAREABLE_HEADERS)
      headers = headers.except("content-type") if as_get
      request = Request.new(as_get ? "GET" : method, target, headers: headers, body: as_get ? nil : rewound_body,
                                                             timeouts: remaining_timeouts(elapsed), redirects: @redirects,
                                                             retries: @retries, circuit: @circuit,
                                                             route: same_origin ? @route : @route.elsewhere)
      request.followed = @followed + 1
      request
    end

    # Seconds of the total timeout that are left when so many are over.
    def time_left(elapsed)
      total = @timeouts[:total].to_f
      total.positive? ? total - elapsed : Float::INFINITY
    end

    # The same, with what is left of its time; nil when its body cannot be read again.
    def again(elapsed)
      return if streams_body? && !@body.respond_to?(:rewind)

      @body.rewind if streams_body?
      dup.tap { |request| request.timeouts = remaining_timeouts(elapsed) }
    rescue SystemCallError
      nil # a pipe
    end

    def remaining_timeouts(elapsed)
      left = time_left(elapsed)
      left.finite? ? @timeouts.merge(total: [left, 0.001].max) : @timeouts
    end

    def transfer
      Transfer.new(method, url, header_lines, transfer_body, @route.to(@url),
                   @timeouts.values.map { |seconds| (seconds.to_f * 1000).ceil })
    end

    # As libcurl wants them: an empty value has a semicolon, and a name alone leaves libcurl's own header out.
    def header_lines
      @headers.map { |name, value| value.empty? ? "#{name};" : "#{name}: #{value}" } +
        (LIBCURLS_HEADERS - @headers.keys).map { |name| "#{name}:" }
    end

    # What Transfer takes: a String, nil, or the length of a streamed body, -1 where it is not known.
    def transfer_body
      return length_of(@body) || -1 if streams_body?
      return "" if @body.nil? && %w[POST PUT PATCH].include?(method) # with a Content-Length of 0, which some servers insist on

      @body
    end

    # What is left of an IO; nil where that is not known, as of a pipe.
    def length_of(io)
      io.size - io.pos if io.respond_to?(:size) && io.respond_to?(:pos)
    rescue SystemCallError
      nil
    end

    PIECE = 64 * 1024
    private_constant :PIECE

    def upload(transfer)
      while (piece = @body.read(PIECE))
        return unless transfer.upload(piece, false)
      end
      transfer.upload("", true)
    end

    def rewound_body
      return @body unless streams_body?
      return @body.tap(&:rewind) if @body.respond_to?(:rewind)

      raise RedirectError, "redirected, and the body cannot be sent again: #{@body.class} does not rewind"
    end

    def token(text, what)
      return text if text.match?(/\A[!#$%&'*+\-.^_`|~0-9A-Za-z]+\z/)

      raise ArgumentError, "#{text.inspect} is no HTTP #{what}"
    end

    def checked(headers, json)
      own = headers.to_h { |name, value| [token(name.to_s, "header name").downcase, value] }
      own["content-type"] = "application/json" if json && !own.key?("content-type")
      own["content-type"] = "application/octet-stream" if @body && !own.key?("content-type")
      own["authorization"] ||= basic_authorization if @url.credentials
      DEFAULT_HEADERS.merge(own).compact.transform_values(&:to_s).each do |name, value|
        raise ArgumentError, "the value of #{name} holds CR, LF or NUL" if value.match?(/[\r\n\0]/)
      end
    end

    def basic_authorization
      credentials = @url.credentials
      @url = @url.without_credentials
      "Basic #{[credentials].pack("m0")}"
    end

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
