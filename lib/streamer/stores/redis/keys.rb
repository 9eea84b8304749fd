# frozen_string_literal: true

require "zlib"

module Streamer
  module Stores
    class Redis
      # The names of a log's keys. A log belongs to one of a few families: what stands in braces decides in which slot of a cluster a key is, so
      # a log's keys are together with the two sets that list its family's logs, and one script can change them all at once.
      class Keys # :nodoc:
        # Enough to spread them evenly over a cluster, few enough to be asked one by one.
        FAMILIES = 64

        # Where wakes are published.
        attr_reader :channel

        def initialize(prefix)
          raise ArgumentError, "prefix: is a String without braces; got #{prefix.inspect}" unless prefix.is_a?(String) && !prefix.match?(/[{}]/)

          @prefix = prefix
          @channel = "#{prefix}:wakes"
        end

        # What a log's script gets: log.lua gives them their names.
        def all(key)
          family = family(key)
          log = "#{family}:#{key}"
          ["#{log}:meta", "#{log}:log", "#{log}:text", "#{family}:open", "#{family}:closed"]
        end

        def meta(key) = "#{family(key)}:#{key}:meta"
        def entries(key) = "#{family(key)}:#{key}:log"
        def text(key) = "#{family(key)}:#{key}:text"
        def open(key) = "#{family(key)}:open"
        def closed(key) = "#{family(key)}:closed"

        # The keys of all families' sets of one name.
        def families(set) = Array.new(FAMILIES) { |number| "{#{@prefix}:#{number}}:#{set}" }

        private

        def family(key) = "{#{@prefix}:#{Zlib.crc32(key) % FAMILIES}}"
      end
    end
  end
end
