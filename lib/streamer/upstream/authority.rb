# frozen_string_literal: true

require_relative "host"
require_relative "invalid_url_error"
require_relative "percent_encoding"

module Streamer
  module Upstream
    # The part of a URL behind its two slashes: credentials, host and port (RFC 3986, section 3.2).
    class Authority # :nodoc:
      # text: "user:password@host:port". Raises InvalidURLError.
      def self.parse(text)
        userinfo, place = text.match(/\A(?:(.*)@)?([^@]*)\z/m).captures # an "@" in a password is allowed not to be encoded
        host, port = place.match(/\A(\[[^\]]*\]|[^:]*)(?::(\d*))?\z/)&.captures
        raise InvalidURLError, "the host or the port of the URL is malformed" unless host

        user, password = credentials(userinfo) if userinfo
        new(user, password, Host.normalize(host), port.to_s.empty? ? nil : number(port))
      end

      def self.credentials(userinfo)
        decoded = userinfo.split(":", 2).map { |part| PercentEncoding.decode(part) }
        raise InvalidURLError, "the URL's credentials have control characters" if decoded.any? { |part| part.b.match?(/[\x00-\x1f\x7f]/) }

        decoded
      end

      def self.number(port)
        return port.to_i if port.to_i.between?(1, 65_535)

        raise InvalidURLError, "the URL's port is not between 1 and 65535"
      end
      private_class_method :credentials, :number

      # user, password: decoded, or nil. host: as Host has it. port: an Integer; nil if none is named.
      attr_reader :user, :password, :host, :port

      def initialize(user, password, host, port)
        @user = user
        @password = password
        @host = host
        @port = port
      end

      # "user:password"; nil if there are none.
      def credentials
        "#{user}:#{password}" unless user.to_s.empty? && password.to_s.empty?
      end

      def with_credentials(user, password) = Authority.new(user, password, host, port)

      def inspect = "#<#{self.class} #{host}>"
    end
  end
end
