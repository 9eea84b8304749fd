# frozen_string_literal: true

require "ipaddr"
require_relative "percent_encoding"
require_relative "punycode"

module Streamer
  module Upstream
    # Normalizes the host of a URL (WHATWG URL Standard, "host parsing"): to lower-case ASCII, an IPv4 address to four decimal numbers, an
    # IPv6 address to its shortest form in brackets. Two hosts are the same if their normalized Strings are, apart from a trailing dot.
    module Host # :nodoc:
      # Bytes, before normalizing. A host name has at most 253 (RFC 1035), three times as many when percent-encoded.
      LONGEST = 1000

      # What most hosts are: a name that needs no normalizing.
      PLAIN = /\A(?:[a-z0-9_-]+\.)*[a-z][a-z0-9_-]*\z/

      NUMBER = /\A(?:\d+|0x\h*)\z/i
      ADDRESS = /\A\d{1,3}(?:\.\d{1,3}){3}\z/
      NAME = /\A[a-z0-9_~-]+(?:\.[a-z0-9_~-]+)*\.?\z/

      # A zone is written %25eth0 in a URL (RFC 6874), but often just %eth0.
      IPV6 = /\A\[([\h:.]+)(?:%(?:25)?([A-Za-z0-9._~-]+))?\]\z/

      # UTS #46 drops most of these. A host that contains one is refused, as it is hardly meant.
      INVISIBLE = /\p{Default_Ignorable_Code_Point}/

      private_constant :LONGEST, :PLAIN, :NUMBER, :ADDRESS, :NAME, :IPV6, :INVISIBLE

      class << self
        # text: the host in a URL, as UTF-8 or percent-encoded. Raises InvalidURLError.
        def normalize(text)
          raise InvalidURLError, "the URL has no host" if text.empty?
          raise InvalidURLError, "the URL's host is too long" if text.bytesize > LONGEST
          return text if text.ascii_only? && text.match?(PLAIN)
          return ipv6(text) if text.start_with?("[")

          name = ascii(decoded(text))
          raise InvalidURLError, "the URL's host is not a valid host name" unless name.match?(NAME)

          ends_in_a_number?(name) ? ipv4(name) : name
        end

        # host: normalized. An IPAddr; nil for a name.
        def address(host)
          return IPAddr.new(host[/\A\[([\h:.]+)/, 1], Socket::AF_INET6) if host.start_with?("[")

          IPAddr.new(host, Socket::AF_INET) if host.match?(ADDRESS)
        end

        private

        def decoded(text)
          text = PercentEncoding.decode(text)
          raise InvalidURLError, "the URL's host is not UTF-8" unless text.valid_encoding?

          text
        end

        # Nearly UTS #46 (non-transitional): NFKC and lower case.
        def ascii(name)
          return name.downcase if name.ascii_only?
          raise InvalidURLError, "the URL's host has invisible characters" if name.match?(INVISIBLE)

          mapped = name.unicode_normalize(:nfkc).downcase.unicode_normalize(:nfc).tr("。", ".")
          mapped.split(".", -1).map { |label| label.ascii_only? ? label : "xn--#{Punycode.encode(label)}" }.join(".")
        end

        def ends_in_a_number?(name) = name.chomp(".").rpartition(".").last.match?(NUMBER)

        # Numbers may be octal or hexadecimal, and fewer than four: 127.1, 0x7f.1, 2130706433.
        def ipv4(name)
          *parts, last = name.chomp(".").split(".").map { |part| number(part) }
          unless parts.length < 4 && parts.all? { |part| part < 256 } && last < 256**(4 - parts.length)
            raise InvalidURLError, "the URL's host ends in a number but is not an IPv4 address"
          end

          address = parts.each_with_index.sum(last) { |part, index| part << (24 - (8 * index)) }
          [24, 16, 8, 0].map { |shift| (address >> shift) & 255 }.join(".")
        end

        def number(part)
          case part
          when /\A0x\h*\z/ then part.delete_prefix("0x").hex
          when /\A0[0-7]*\z/ then part.oct
          when /\A[1-9]\d*\z/ then part.to_i
          else raise InvalidURLError, "the URL's host ends in a number but is not an IPv4 address"
          end
        end

        def ipv6(text)
          address, zone = text.match(IPV6)&.captures
          raise InvalidURLError, "the URL's host is not an IPv6 address" unless address

          "[#{compressed(IPAddr.new(address, Socket::AF_INET6).hton)}#{"%25#{zone}" if zone}]"
        rescue IPAddr::Error
          raise InvalidURLError, "the URL's host is not an IPv6 address"
        end

        # The longest run of zeros, the first of several, becomes "::" (RFC 5952, section 4.2).
        def compressed(bytes)
          words = bytes.unpack("n8").map { |word| word.to_s(16) }.join(":")
          run = words.scan(/(?<!\h)0(?::0)+(?!\h)/).max_by.with_index { |zeros, index| [zeros.length, -index] }
          return words unless run

          before, _, after = words.partition(/(?<!\h)#{run}(?!\h)/)
          "#{before.delete_suffix(":")}::#{after.delete_prefix(":")}"
        end
      end
    end
  end
end
