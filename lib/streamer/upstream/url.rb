# frozen_string_literal: true

require_relative "authority"
require_relative "invalid_url_error"
require_relative "percent_encoding"

module Streamer
  module Upstream
    # An http or https URL. URLs are parsed, joined, resolved and compared here and nowhere else, by RFC 3986 and with the leniency of the
    # WHATWG URL Standard: spaces, UTF-8, a bare "%" and backslashes are accepted. What must be percent-encoded is encoded; "%" and "+" are
    # kept. Fragments are dropped: they are never sent.
    class URL # :nodoc:
      DEFAULT_PORTS = { "http" => 80, "https" => 443 }.freeze

      # The WHATWG's path and special-query percent-encode sets.
      ENCODED_IN_PATH = /[\x00-\x20"#<>?^`{}\x7f-\xff]/n
      ENCODED_IN_QUERY = /[\x00-\x20"#'<>\x7f-\xff]/n

      SCHEME = /\A([a-z][a-z0-9+.-]*):/i
      SLASHES = %r{\A[/\\]{2}}
      CONTROL = /[\x00-\x1f\x7f]/
      VISIBLE = /[^\x00-\x20]/n
      DOTS = /\A(?:\.|%2e){1,2}\z/i
      TWO_DOTS = /\A(?:\.|%2e){2}\z/i

      private_constant(*constants(false))

      class << self
        # text: a String, URI or URL from an application. Raises InvalidURLError, also for control characters.
        def parse(text)
          return text if text.is_a?(URL)

          text = checked(text)
          scheme = text[SCHEME, 1]&.downcase
          rest = text.sub(SCHEME, "")
          unless DEFAULT_PORTS.key?(scheme) && rest.match?(SLASHES)
            raise InvalidURLError, "expected a URL with http:// or https:// and a host"
          end

          build(scheme, rest.sub(SLASHES, ""))
        end

        # The bytes of a URL or path from an application.
        def checked(text)
          text = bytes(text)
          raise InvalidURLError, "a URL cannot contain tabs, line breaks or other control characters" if text.match?(CONTROL)

          trimmed(text)
        end

        # The bytes of a Location, without those that browsers remove.
        def stripped(text) = trimmed(bytes(text)).delete("\t\r\n")

        # rest: everything after the slashes.
        def build(scheme, rest)
          place = rest[%r{\A[^/\\?#]*}]
          new(scheme, Authority.parse(place), *split(rest[place.length..]))
        end

        # The path, and the query or nil.
        def split(text)
          return [text, nil] unless text.match?(/[?#]/)

          text.match(/\A([^?#]*)(?:\?([^#]*))?/).captures
        end

        private

        # Without white space and control characters at the ends. A Regexp anchored at the end would be tried at every space.
        def trimmed(text)
          return text if text.empty? || (text.getbyte(0) > 0x20 && text.getbyte(-1) > 0x20)

          first = text.index(VISIBLE)
          first ? text[first..text.rindex(VISIBLE)] : ""
        end

        def bytes(text)
          text = text.to_s
          return text if text.ascii_only?

          [Encoding::UTF_8, Encoding::US_ASCII, Encoding::BINARY].include?(text.encoding) ? text.b : text.encode(Encoding::UTF_8).b
        rescue EncodingError
          raise InvalidURLError, "a URL must be text (got #{text.encoding})"
        end
      end

      attr_reader :scheme, :path, :query

      # path, query: percent-encoded or not; query may be nil.
      def initialize(scheme, authority, path, query)
        @scheme = scheme == "https" ? "https" : "http"
        @authority = authority
        @path = normalized(path).freeze
        @query = query && PercentEncoding.encode(query, ENCODED_IN_QUERY).freeze
        freeze
      end

      # Normalized; an IPv6 address in brackets.
      def host = @authority.host

      def port = @authority.port || DEFAULT_PORTS.fetch(scheme)

      # "user:password", decoded; nil if there are none.
      def credentials = @authority.credentials

      def without_credentials = credentials ? URL.new(scheme, @authority.with_credentials(nil, nil), path, query) : self

      # The URL of a request relative to this base URL: its path is appended to the base's path, its query to the base's query.
      # text: "/v1/models?limit=2", "models", "?limit=2" or "". Raises InvalidURLError for a URL: headers that are meant for this host would
      # be sent to another one.
      def join(text)
        text = self.class.checked(text)
        if text.match?(SCHEME) || text.match?(SLASHES)
          raise InvalidURLError, "expected a path, got a URL: a client's headers are for its own origin"
        end

        path, query = self.class.split(text)
        path = path.empty? ? @path : "#{directory}/#{path.sub(%r{\A[/\\]}, "")}"
        query = @query if query.to_s.empty?
        query = "#{@query}&#{query}" unless @query.to_s.empty? || query.equal?(@query)
        URL.new(scheme, @authority, path, query)
      end

      # The URL that the Location of a response from this one refers to (RFC 3986, section 5.2; WHATWG URL Standard, section 4.4). Raises
      # InvalidURLError.
      def resolve(location)
        text = self.class.stripped(location)
        scheme = text[SCHEME, 1]&.downcase || @scheme
        raise InvalidURLError, "expected an http or https URL" unless DEFAULT_PORTS.key?(scheme)

        reference = text.sub(SCHEME, "")
        return relative(*self.class.split(reference)) if scheme == @scheme && !reference.match?(SLASHES)

        self.class.build(scheme, reference.sub(%r{\A[/\\]+}, ""))
      end

      # "https://example.com:8443", without a default port and without a trailing dot.
      def origin = "#{scheme}://#{host.chomp(".")}#{port_suffix}"

      # Whether what is meant for one, such as credentials, may be sent to the other.
      def same_origin?(other) = origin == other.origin

      # "/v1/models?limit=2", the request target.
      def target = query ? "#{path}?#{query}" : path

      # The Host header: without a default port.
      def authority = "#{host}#{port_suffix}"

      # All but the credentials.
      def href = "#{scheme}://#{authority}#{target}"

      # For logs and errors: without credentials and query.
      def to_s = "#{scheme}://#{authority}#{path}"

      def inspect = "#<#{self.class} #{self}>"

      private

      def port_suffix = (":#{port}" unless port == DEFAULT_PORTS.fetch(scheme))

      # The path without trailing slashes.
      def directory = @path.end_with?("/") ? @path[%r{.*[^/]}].to_s : @path

      def relative(path, query)
        if path.empty?
          URL.new(scheme, @authority, @path, query || @query)
        else
          path = @path[%r{.*/}] + path unless path.match?(%r{\A[/\\]})
          URL.new(scheme, @authority, path, query)
        end
      end

      def normalized(path)
        path = path.tr("\\", "/") if path.include?("\\")
        path = "/#{path}" unless path.start_with?("/")
        without_dot_segments(PercentEncoding.encode(path, ENCODED_IN_PATH))
      end

      # RFC 3986, section 5.2.4. Dots may be percent-encoded.
      def without_dot_segments(path)
        return path unless path.match?(%r{/(?:\.|%2e)}i)

        segments = path.split("/", -1).drop(1)
        kept = segments.each_with_object([]) do |segment, output|
          if segment.match?(TWO_DOTS) then output.pop
          elsif !segment.match?(DOTS) then output << segment
          end
        end
        kept << "" if segments.last.match?(DOTS)
        "/#{kept.join("/")}"
      end
    end
  end
end
