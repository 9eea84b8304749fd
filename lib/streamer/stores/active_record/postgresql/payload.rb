# frozen_string_literal: true

require "json"
require "securerandom"

module Streamer
  module Stores
    class ActiveRecord
      class PostgreSQL
        # What a notification says: who sent it, and the keys that have news; no key for any.
        class Payload # :nodoc:
          # PostgreSQL takes less than 8,000 bytes.
          MAX_BYTES = 7_900

          # More notifications than these at once are one that names no key.
          MAX_COUNT = 20

          # So many Strings that all keys are named.
          def pack(keys)
            parts = keys.each_with_object([]) do |key, packed|
              text = JSON.generate(key)
              fits = packed.any? && packed.last.bytesize + text.bytesize < MAX_BYTES
              fits ? packed.last << "," << text : packed << "#{sender},#{text}"
            end
            parts.size > MAX_COUNT ? ["[#{sender}]"] : parts.map { |part| "[#{part}]" }
          end

          # Keys; nil for any; :own for what this process has sent and knows.
          def unpack(text)
            from, *keys = JSON.parse(text)
            return :own if JSON.generate(from) == sender

            keys.empty? ? nil : keys
          rescue JSON::ParserError
            nil # somebody else's, by hand
          end

          private

          # A child of the process is another one.
          def sender
            @sender, @pid = JSON.generate(SecureRandom.hex(6)), Process.pid unless @pid == Process.pid
            @sender
          end
        end
      end
    end
  end
end
