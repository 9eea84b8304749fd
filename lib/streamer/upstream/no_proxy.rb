# frozen_string_literal: true

require_relative "host"

module Streamer
  module Upstream
    # Which hosts are reached without the environment's proxy: what `no_proxy` lists, as curl reads it. A name stands for itself and all
    # names under it, with a dot before it or without; an address for itself, "10.0.0.0/8" for a network. Only "*" alone is everything. An
    # entry with a port matches nothing.
    class NoProxy # :nodoc:
      # list: separated by commas or spaces.
      def initialize(list)
        @all = list == "*"
        @entries = list.b.split(/[,\s]+/).reject(&:empty?)
      end

      # host: as Host has it.
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

      # An IPAddr; nil where the entry is no network of that family. As for curl, /0 is an address and not everything.
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
