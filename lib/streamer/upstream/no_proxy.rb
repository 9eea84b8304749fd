# frozen_string_literal: true

require_relative "host"

module Streamer
  module Upstream
    # The hosts to reach without the environment's proxy, as curl reads `no_proxy`. A name matches itself and its subdomains, with or
    # without a leading dot; an address matches itself, "10.0.0.0/8" a network. "*" matches everything, but only alone. An entry with a
    # port matches nothing.
    class NoProxy # :nodoc:
      # list: entries separated by commas or spaces.
      def initialize(list)
        @all = list == "*"
        @entries = list.b.split(/[,\s]+/).reject(&:empty?)
      end

      # host: normalized.
      def include?(host)
        return true if @all
        return @entries.any? { |entry| under?(host.chomp("."), entry) } unless (address = Host.address(host))

        @entries.any? { |entry| network(entry, address.family)&.include?(address) }
      end

      private

      def under?(name, entry)
        domain = entry.downcase.delete_suffix(".").delete_prefix(".")
        name == domain || (!domain.empty? && name.end_with?(".#{domain}"))
      end

      # An IPAddr; nil if the entry is not a network of this family. As in curl, /0 means the address alone.
      def network(entry, family)
        address, bits = entry.match(%r{\A\[?([\h:.]+)\]?(?:/(\d+))?\z})&.captures
        return unless address

        network = IPAddr.new(address, family)
        bits.to_i.zero? ? network : network.mask(bits.to_i)
      rescue IPAddr::Error
        nil
      end
    end
  end
end
