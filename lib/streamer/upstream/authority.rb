# frozen_string_literal: true

require_relative "host"
require_relative "invalid_url_error"
require_relative "percent_encoding"

module Streamer
  module Upstream
    # The part of a URL after the two slashes: credentials, host and port (RFC 3986, section 3.2).
    class Authority # :nodoc:
      # text: "user:password@host:port". Raises InvalidURLError.
      def self.parse(text)
        userinfo, place = text.match(/\A(?:(.*)@)?([^@]*)\z/m).captures # a password may contain an "@"
        host, port = place.match(/\A(\[[^\]]*\]|[^:]*)(?::(\d*))?\z/)&.captures
        raise InvalidURLError, "the URL's host or port is malformed" unless host

        user, password = credentials(userinfo) if userinfo
        new(user, password, Host.normalize(host), port.to_s.empty? ? nil : number(port))
      end

      def self.credentials(userinfo)
        userinfo.split(":", 2).map { |part| PercentEncoding.decode(part) }.each do |part|
          raise InvalidURLError, "the URL's credentials contain control characters" if part.b.match?(/[\x00-\x1f\x7f]/)
        end
      end

      def self.number(port)
        return port.to_i if port.to_i.between?(1, 65_535)

        raise InvalidURLError, "the URL's port is not between 1 and 65535"
      end
      private_class_method :credentials, :number

      # user, password: decoded, or nil. host: normalized. port: an Integer, or nil for the default.
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
