# frozen_string_literal: true

require "digest/sha2"
require "ipaddr"
require_relative "authority"
require_relative "proxy"

module Streamer
  module Upstream # :nodoc:
    # How a request gets to its upstream: through which proxy or socket, to which address, and with which certificates. What Request,
    # Client and the rest take as proxy:, unix:, tls:, resolve: and guard:.
    class ConnectionOptions # :nodoc:
      OPTIONS = %i[proxy unix tls resolve guard].freeze
      TLS = { verify: true, ca_file: nil, cert: nil, key: nil, key_password: nil }.freeze
      MAPPED = [0, 0, 0xffff].pack("Q>S>S>") # ::ffff:0:0/96, an IPv4 address as IPv6

      private_constant :TLS, :MAPPED

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

        addresses, names = resolve.map { |place, places| connect_to(place, Array(places)) }.transpose.map { |lists| lists.flatten.compact }
        @unix = unix&.to_s
        @proxy = Proxy.parse(proxy) if proxy
        @direct = proxy == false || guard || unix
        @fixed = { **TLS, **tls, unix: @unix, addresses: lines(addresses), names: lines(names),
                   guard: (packed_networks(guard == true ? [] : guard) if guard) }
      end

      # The way to another origin, to which neither the socket leads nor the client certificate belongs.
      def elsewhere
        ConnectionOptions.new(**@options, unix: nil, tls: @options[:tls].except(:cert, :key, :key_password))
      end

      # What Transfer takes. url: a URL. Raises Error if the environment names a proxy that is none.
      def to(url)
        proxy = @proxy || (Proxy.from_environment(url) unless @direct)
        { **@fixed, url: "#{url.scheme}://#{url.host}:#{url.port}", origin: @unix ? "unix:#{@unix}" : url.origin,
                    proxy: proxy&.to_s, proxy_user: proxy&.user, proxy_password: proxy&.password, proxy_authorization: proxy&.authorization }
      end

      private

      def lines(list) = (list.join("\n") if list&.any?)

      # What libcurl takes to connect to another place, and to know a name. One address is a place. Several need a name that has them, and
      # one that has nothing else: names are known to all requests alike.
      def connect_to(place, addresses)
        host, port = host_and_port(place)
        list = addresses.map { |address| IPAddr.new(address.to_s) }.map { |ip| ip.ipv6? ? "[#{ip}]" : ip.to_s }
        raise ArgumentError, "resolve: takes IP addresses; got none for #{place}" if list.empty?
        return [connections(host, port, list.first), nil] if list.one?

        name = "#{Digest::SHA256.hexdigest(list.join(","))[0, 32]}.invalid"
        [connections(host, port, name), "+#{name}:#{port}:#{list.join(",")}"]
      rescue IPAddr::Error
        raise ArgumentError, "resolve: takes IP addresses; got #{addresses.join(", ")} for #{place}"
      end

      # For libcurl "example.com." is another host than "example.com".
      def connections(host, port, target)
        hosts = Host.address(host) ? [host] : [host.chomp("."), "#{host.chomp(".")}."]
        hosts.map { |spelling| "#{spelling}:#{port}:#{target}:#{port}" }
      end

      # As a URL has them.
      def host_and_port(place)
        authority = Authority.parse(place.to_s)
        raise InvalidURLError, "there is no port" unless authority.port

        [authority.host, authority.port]
      rescue InvalidURLError => error
        raise ArgumentError, "resolve: takes \"host:port\" => \"address\"; got #{place.inspect}: #{error.message}"
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
