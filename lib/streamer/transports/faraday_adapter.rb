# frozen_string_literal: true

require_relative "bodies"
require_relative "translating"

module Streamer
  # Other gems' requests through this one.
  module Transports
    # Faraday's requests through this gem: faraday.adapter :streamer (Faraday 2.5 or newer). For threads and fibers alike, one connection
    # object for all of them if you like.
    #
    #   Faraday.new("https://api.example.com") { |faraday| faraday.adapter :streamer, timeouts: { total: 300 } }
    #
    # Options are those of Request (timeouts:, tls:, proxy:, ...), for what Faraday has no word, and max_body: bytes of a body that is
    # read whole. Faraday's own options, of the connection or the request, come before them:
    #
    #   open_timeout or timeout   connect
    #   read_timeout or timeout   first_event (here the body's first bytes) and idle
    #   proxy                     proxy, also from the environment, as Faraday has it
    #   ssl                       verify, verify_mode, ca_file, client_cert and client_key (paths of PEM files); ArgumentError for what
    #                             is not here
    #
    # There is no total timeout unless one is given, and redirects are left to Faraday's middleware. write_timeout and
    # verify_hostname: false are passed over (an upload that stops is found by the other timeouts; a name is always verified with its
    # certificate).
    #
    # on_data gets each chunk, in binary, with the bytes so far and the env, whose status and headers are there. The body of an error
    # (not 2xx) comes whole, up to Response::MAX_ERROR_BODY, and is the response's body, too; NDJSON comes in whole lines. What on_data
    # raises ends the request and passes as it is.
    #
    # Raises Faraday::TimeoutError, Faraday::SSLError, Faraday::ConnectionFailed, and Faraday::Error for what is none of these (a body
    # beyond max_body). The Streamer::Error is its wrapped_exception.
    class FaradayAdapter < ::Faraday::Adapter
      ERRORS = {
        TimeoutError => ::Faraday::TimeoutError,
        TLSError => ::Faraday::SSLError,
        ConnectionError => ::Faraday::ConnectionFailed,
        Error => ::Faraday::Error
      }.freeze

      # Framing is libcurl's work.
      FRAMING = %w[content-length transfer-encoding].freeze

      TLS_OPTIONS = %i[verify verify_hostname verify_mode ca_file client_cert client_key].freeze

      NDJSON = %r{\Aapplication/(x-)?(ndjson|jsonlines|jsonl)\z}
      MAX_LINE = 1024 * 1024

      private_constant :ERRORS, :FRAMING, :TLS_OPTIONS, :NDJSON, :MAX_LINE

      def initialize(app = nil, options = {}, &block) # :nodoc:
        super
        options = options.dup
        @max_body = options.delete(:max_body) || Response::MAX_BODY
        @defaults = { redirects: 0 }.merge(options)
        @defaults[:timeouts] = { total: nil }.merge(@defaults.fetch(:timeouts, {}))
        Request.new("GET", "http://localhost", **@defaults) # says now what would be wrong with every request
      end

      def call(env) # :nodoc:
        super
        Transports.translating(method(:translated)) { |theirs| answer(env, theirs) }
        @app.call(env)
      end

      private

      def answer(env, theirs)
        response = request_for(env).call
        save_response(env, response.status, nil, response.headers.to_h, nil, finished: false)
        env.body = env.stream_response? ? stream(env, response, theirs) : Upstream::Text.tagged(response.read_bytes(@max_body), response.headers)
        env.response.finish(env)
      ensure
        response&.cancel
      end

      def translated(error) = ERRORS.find { |ours, _| error.is_a?(ours) }.last.new(error)

      # Hands the body to on_data and returns what is the response's own: nothing, or an error's body.
      def stream(env, response, theirs)
        kept = +""
        env.stream_response do |&on_data|
          each_piece(response) do |piece|
            kept = piece unless response.success? || !kept.empty?
            theirs.call { on_data.call(piece) }
          end
        end
        kept
      end

      def each_piece(response, &block)
        if !response.success? then each_of_an_error(response, &block)
        elsif NDJSON.match?(response.headers.media_type.to_s) then each_lines(response, &block)
        else response.each_chunk(&block)
        end
      end

      # What reads an error from the first chunk finds all of it there.
      def each_of_an_error(response)
        start = String.new
        response.each_chunk do |bytes|
          next yield(bytes) unless start

          start << bytes
          next if start.bytesize < Response::MAX_ERROR_BODY

          yield start
          start = nil
        end
        yield start unless start.nil? || start.empty?
      end

      # What takes a chunk for lines finds none that is cut, unless it is longer than MAX_LINE.
      def each_lines(response)
        rest = String.new
        response.each_chunk do |bytes|
          rest << bytes
          last = rest.bytesize < MAX_LINE ? rest.rindex("\n") : rest.bytesize - 1
          yield rest.slice!(0..last) if last
        end
        yield rest unless rest.empty?
      end

      def request_for(env)
        Request.new(env.method, env.url, **@defaults, headers: headers_of(env), body: body_of(env), **overrides(env))
      end

      def headers_of(env)
        @defaults.fetch(:headers, {}).merge(env.request_headers.reject { |name, _| FRAMING.include?(name.downcase) })
      end

      # An IO's length is known to Faraday at times when the IO does not tell.
      def body_of(env)
        length = env.request_headers["Content-Length"]
        env.body.respond_to?(:read) && length ? SizedBody.new(env.body, Integer(length)) : env.body
      end

      # Faraday has read the environment; who tells it not to wants no proxy.
      def overrides(env)
        proxy = env.request.proxy
        overrides = { timeouts: @defaults[:timeouts].merge(timeouts_of(env.request)),
                      proxy: proxy ? proxy_of(proxy) : @defaults.fetch(:proxy, false) }
        overrides[:tls] = @defaults.fetch(:tls, {}).merge(tls_of(env.ssl)) if env.url.scheme == "https"
        overrides
      end

      def timeouts_of(options)
        open = request_timeout(:open, options)
        read = request_timeout(:read, options)
        { connect: open, first_event: read, idle: read }.compact
      end

      def tls_of(ssl)
        ssl = ssl.to_h.compact
        unknown = ssl.keys - TLS_OPTIONS
        if unknown.any?
          raise ArgumentError, "the ssl option #{unknown.first} is not known to the adapter :streamer; known are #{TLS_OPTIONS.join(", ")}"
        end

        verify = ssl.fetch(:verify, true) && ssl[:verify_mode] != OpenSSL::SSL::VERIFY_NONE
        { verify: verify, ca_file: ssl[:ca_file], cert: file(ssl, :client_cert), key: file(ssl, :client_key) }.compact
      end

      def file(ssl, name)
        value = ssl[name]
        return value if value.nil? || value.is_a?(String)

        raise ArgumentError, "the ssl option #{name} is the path of a PEM file for the adapter :streamer; got a #{value.class}"
      end

      # Faraday decodes a URL's credentials as if they came from a form, "+" as a space: they are taken from the URL if it has them.
      def proxy_of(options)
        proxy = Upstream::Proxy.parse(options.uri, default_port: options.uri.port)
        proxy.user ? proxy : proxy.with_credentials(options.user, options.password)
      end
    end
  end
end
