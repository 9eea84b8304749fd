# frozen_string_literal: true

require_relative "authority"
require_relative "invalid_url_error"
require_relative "no_proxy"
require_relative "url"

module Streamer
  module Upstream
    # The proxy that a request goes through. Its credentials appear in no message, log or `inspect`.
    class Proxy # :nodoc:
      # The schemes that curl knows.
      SCHEMES = { "http" => "http", "https" => "https", "socks" => "socks4", "socks4" => "socks4", "socks4a" => "socks4a",
                  "socks5" => "socks5", "socks5h" => "socks5h" }.freeze

      # The variables that name a proxy, in the order of curl. They are read here: libcurl would read them while Ruby may be changing them.
      # HTTP_PROXY is not among them, because CGI servers set it from a request's Proxy header.
      VARIABLES = { "http" => %w[http_proxy all_proxy ALL_PROXY], "https" => %w[https_proxy HTTPS_PROXY all_proxy ALL_PROXY] }.freeze
      EXCEPTIONS = %w[no_proxy NO_PROXY].freeze

      # curl ignores a path.
      WITHOUT_PATH = %r{\A(?:[^/\\]*://)?[^/\\?#]*}

      private_constant(*constants(false))

      class << self
        # text: "http://user:password@host:port" with percent-encoded credentials, a URI or a Proxy. The scheme is http if there is none.
        # default_port: curl's if nil. Raises InvalidURLError.
        def parse(text, default_port: nil)
          return text if text.is_a?(Proxy)

          scheme, rest = URL.checked(text).match(%r{\A(?:([^/\\@:]*)://)?(.*)\z}).captures
          place, path = rest.match(%r{\A([^/\\?#]*)(.*)\z}).captures
          scheme = SCHEMES[(scheme || "http").downcase]
          raise InvalidURLError, "expected a proxy URL with one of the schemes #{SCHEMES.keys.join(", ")}" unless scheme
          raise InvalidURLError, "expected a proxy URL without a path" unless path.empty? || path == "/"

          new(scheme, Authority.parse(place), default_port || (scheme == "https" ? 443 : 1080))
        end

        # The Proxy for requests to this URL, or nil. Raises Error, which is not retried, if the environment names something else.
        def from_environment(url, environment = ENV)
          name, value = first_set(VARIABLES.fetch(url.scheme), environment)
          return if name.nil? || NoProxy.new(first_set(EXCEPTIONS, environment)&.last.to_s).include?(url.host)

          parse(value.b[WITHOUT_PATH])
        rescue InvalidURLError => error
          raise Error, "the environment variable #{name} is not a proxy URL: #{error.message}"
        end

        private

        # The name and value of the first variable that is not empty.
        def first_set(names, environment)
          names.each do |name|
            value = environment[name].to_s
            return [name, value] unless value.empty?
          end
          nil
        end
      end

      attr_reader :scheme

      # authority: an Authority.
      def initialize(scheme, authority, default_port)
        @scheme = scheme
        @authority = authority
        @default_port = default_port
        freeze
      end

      # Normalized.
      def host = @authority.host

      def port = @authority.port || @default_port

      # Decoded, or nil.
      def user = @authority.user
      def password = @authority.password

      # The value of Proxy-Authorization; nil without credentials.
      def authorization = ("Basic #{["#{user}:#{password}"].pack("m0")}" if user)

      # user, password: decoded.
      def with_credentials(user, password) = Proxy.new(scheme, @authority.with_credentials(user, password), @default_port)

      # Without credentials.
      def to_s = "#{scheme}://#{host}:#{port}"

      def inspect = "#<#{self.class} #{self}>"
    end
  end
end
