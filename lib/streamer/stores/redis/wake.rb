# frozen_string_literal: true

module Streamer
  module Stores
    class Redis
      # What is published when logs have news: their keys.
      module Wake # :nodoc:
        SEPARATOR = "\0"
        private_constant :SEPARATOR

        class << self
          def dump(keys) = keys.join(SEPARATOR)

          def load(message) = message.split(SEPARATOR)
        end
      end
    end
  end
end
