# frozen_string_literal: true

module Streamer
  module Generation
    module Broadcasts
      # What a model's broadcasts_text says.
      class Settings # :nodoc:
        CHANNELS = { turbo: TurboStreams, cable: Cable }.freeze
        private_constant :CHANNELS

        # channels: each with `text` and `state`. every: seconds between two. partial: of the text, which is replaced by it; nil where it grows.
        attr_reader :channels, :every, :partial

        def initialize(over:, every:, partial:)
          names = Array(over)
          unless names.any? && (names - CHANNELS.keys).empty?
            raise ArgumentError, "broadcasts_text is over: #{CHANNELS.keys.map(&:inspect).join(", ")} or both; got #{over.inspect}"
          end
          raise ArgumentError, "every: is seconds, more than 0; got #{every.inspect}" unless every.respond_to?(:to_f) && every.to_f.positive?

          @channels = CHANNELS.values_at(*names).each(&:check)
          @every = every.to_f
          @partial = partial
        end

        # Whether pages follow by a channel of this name.
        def over?(name) = channels.include?(CHANNELS.fetch(name))
      end
    end
  end
end
