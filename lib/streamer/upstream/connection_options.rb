# frozen_string_literal: true

require "digest/sha2"
require "ipaddr"
require "uri"

module Streamer
  module Upstream # :nodoc:
    # How a request gets to its upstream: through which proxy or socket, to which address, and with which certificates. What Request,
    # Client and the rest take as proxy:, unix:, tls:, resolve: and guard:.
    class ConnectionOptions # :nodoc:
      PROXIES = %w[http https socks4 socks4a socks5 socks5h].freeze
      OPTIONS = %i[proxy unix tls resolve guard].freeze
      TLS = { verify: true, ca_file: nil, cert: nil, key: nil, key_password: nil }.freeze
      MAPPED = [0, 0, 0xffff].pack("Q>S>S>") # ::ffff:0:0/96, an IPv4 address as IPv6

      # Where the environment names a proxy, by libcurl's rules; but it is read here, since libcurl would read it beside Ruby, which may be
      # changing it. An HTTP_PROXY is not believed, since CGI sets it from a header.
      PROXY_VARIABLES = { "http" => %w[http_proxy all_proxy ALL_PROXY], "https" => %w[https_proxy HTTPS_PROXY all_proxy ALL_PROXY] }.freeze
      EXCEPTION_VARIABLES = %w[no_proxy NO_PROXY].freeze
      DIRECT = { proxy: "", no_proxy: "" }.freeze

      private_constant :PROXIES, :TLS, :MAPPED, :PROXY_VARIABLES, :EXCEPTION_VARIABLES, :DIRECT

      # proxy: a URL, with credentials or without; nil for what the environment says; false for none.
      # unix: path of a socket, instead of the URL's host and port.
      # tls: verify: true, ca_file:, and for a client certificate cert:, key: (PEM files) and key_password:.
      # resolve: { "host:port" => "address", or an Array of them, tried as a name's several addresses are }.
      # guard: true, or an Array of networks that are allowed all the same.
      # Raises ArgumentError.
      def initialize(proxy: nil, unix: nil, tls: {}, resolve: {}, guard: false)
        unknown = tls.keys - TLS.keys
        raise ArgumentError, "unknown tls option #{unknown.first.inspect}; known are #{TLS.keys.join(", ")}" if unknown.any?

        @options = { proxy: proxy, unix: unix, tls: tls, resolve: resolve, guard: guard }
        raise ArgumentError, "guard: judges addresses, and through proxy: or unix: it would see none of the host's" if guard && (proxy || unix)

        addresses, names = resolve.map { |place, places| connect_to(place, Array(places)) }.transpose.map(&:compact)
        @unix = unix&.to_s
        @proxy = proxy ? { **parsed_proxy(proxy), no_proxy: "" } : (DIRECT if proxy == false || guard || unix)
        @fixed = { **TLS, **tls, unix: @unix, addresses: addresses || [], names: names || [],
                   guard: (packed_networks(guard == true ? [] : guard) if guard) }
      end

      # The way to another origin, to which neither the socket leads nor the client certificate belongs.
      def elsewhere
        ConnectionOptions.new(**@options, unix: nil, tls: @options[:tls].except(:cert, :key, :key_password))
      end

      # What Transfer takes. uri: a URI::HTTP.
      def to(uri)
        limits = Streamer.limits
        { **@fixed, **(@proxy || proxy_of_environment(uri.scheme)), idle_age: limits[:idle_age] || 0, age: limits[:age] || 0,
                    origin: @unix ? "unix:#{@unix}" : "#{uri.scheme}://#{uri.host}:#{uri.port}" }
      end

      private

      def proxy_of_environment(scheme)
        url = from_environment(PROXY_VARIABLES.fetch(scheme))
        url ? { **parsed_proxy(url), no_proxy: from_environment(EXCEPTION_VARIABLES) || "" } : DIRECT
      end

      def from_environment(names)
        names.each do |name|
          value = ENV.fetch(name, "")
          return value unless value.empty?
        end
        nil
      end

      # The credentials stand apart, so that they are in no message.
      def parsed_proxy(url)
        scheme, credentials, place = url.to_s.match(%r{\A(?:(\w+)://)?(?:(.*)@)?([^@/\s]+)/?\z})&.captures
        scheme = scheme ? scheme.downcase : "http"
        unless place && PROXIES.include?(scheme)
          raise ArgumentError, "a proxy is a URL with a host and one of the schemes #{PROXIES.join(", ")}" # not it: it may hold credentials
        end

        user, password = credentials&.split(":", 2)&.map { |part| URI.decode_www_form_component(part.gsub("+", "%2B")) }
        { proxy: "#{scheme}://#{place}", proxy_user: user, proxy_password: password }
      end

      # What libcurl takes to connect to another place, and to know a name. One address is a place. Several need a name that has them, and
      # one that has nothing else: names are known to all requests alike.
      def connect_to(place, addresses)
        host, port = place.to_s.match(/\A(\[[\h:.]+\]|[^\s:\[\]]+):(\d+)\z/)&.captures
        raise ArgumentError, "resolve: takes \"host:port\" => \"address\"; got #{place.inspect}" unless host && addresses.any?

        list = addresses.map { |address| IPAddr.new(address.to_s) }.map { |ip| ip.ipv6? ? "[#{ip}]" : ip.to_s }
        return ["#{host}:#{port}:#{list.first}:#{port}", nil] if list.one?

        name = "#{Digest::SHA256.hexdigest(list.join(","))[0, 32]}.invalid"
        ["#{host}:#{port}:#{name}:#{port}", "+#{name}:#{port}:#{list.join(",")}"]
      rescue IPAddr::Error
        raise ArgumentError, "resolve: takes IP addresses; got #{addresses.join(", ")} for #{place}"
      end

      def packed_networks(networks)
        Array(networks).map do |network|
          ip = IPAddr.new(network.to_s)
          ip.ipv4? ? MAPPED + ip.hton + [ip.prefix + 96].pack("C") : ip.hton + [ip.prefix].pack("C")
        end.join.b
      rescue IPAddr::Error
        raise ArgumentError, "guard: is true, or an Array of networks such as \"10.1.0.0/16\" that are allowed all the same"
      end
    end
  end
end
