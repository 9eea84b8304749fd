# frozen_string_literal: true

require_relative "authority"
require_relative "invalid_url_error"
require_relative "no_proxy"
require_relative "url"

module Streamer
  module Upstream
    # The proxy that a request goes through. Its credentials are in no message, no log and no `inspect`.
    class Proxy # :nodoc:
      # As curl knows them; a proxy without a scheme is an http one, "socks" an old name.
      SCHEMES = { "http" => "http", "https" => "https", "socks" => "socks4", "socks4" => "socks4", "socks4a" => "socks4a",
                  "socks5" => "socks5", "socks5h" => "socks5h" }.freeze

      # Where the environment names a proxy, by the rules of curl; but it is read here, since libcurl would read it while Ruby may be
      # changing it. HTTP_PROXY is not among them: a CGI server makes it of a request's Proxy header.
      VARIABLES = { "http" => %w[http_proxy all_proxy ALL_PROXY], "https" => %w[https_proxy HTTPS_PROXY all_proxy ALL_PROXY] }.freeze
      EXCEPTIONS = %w[no_proxy NO_PROXY].freeze

      # curl passes over a path.
      WITHOUT_PATH = %r{\A(?:[^/\\]*://)?[^/\\?#]*}

      private_constant(*constants(false))

      class << self
        # text: "http://user:password@host:port", percent-encoded where it must be, a URI or a Proxy. Raises InvalidURLError.
        def parse(text)
          return text if text.is_a?(Proxy)

          scheme, rest = URL.checked(text).match(%r{\A(?:([^/\\@:]*)://)?(.*)\z}).captures
          place, path = rest.match(%r{\A([^/\\?#]*)(.*)\z}).captures
          scheme = SCHEMES[(scheme || "http").downcase]
          raise InvalidURLError, "expected a proxy's URL with one of the schemes #{SCHEMES.keys.join(", ")}" unless scheme
          raise InvalidURLError, "expected a proxy's URL without a path" unless path.empty? || path == "/"

          new(scheme, Authority.parse(place))
        end

        # The Proxy for a request to this URL; nil if none is to be used. Raises ConnectError if the environment has something else there.
        def from_environment(url, environment = ENV)
          name, value = first_set(VARIABLES.fetch(url.scheme), environment)
          return if name.nil? || NoProxy.new(first_set(EXCEPTIONS, environment)&.last.to_s).include?(url.host)

          parse(value.b[WITHOUT_PATH])
        rescue InvalidURLError => error
          raise ConnectError, "the environment's #{name} names no proxy: #{error.message}"
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

      def initialize(scheme, authority)
        @scheme = scheme
        @authority = authority
        freeze
      end

      # As Host has it.
      def host = @authority.host

      # Where none is named, curl's default ones.
      def port = @authority.port || (scheme == "https" ? 443 : 1080)

      # Decoded; nil where there is none.
      def user = @authority.user
      def password = @authority.password

      # Decoded ones, in place of its own.
      def with_credentials(user, password) = Proxy.new(scheme, @authority.with_credentials(user, password))

      # Without credentials.
      def to_s = "#{scheme}://#{host}:#{port}"

      def inspect = "#<#{self.class} #{self}>"
    end
  end
end
