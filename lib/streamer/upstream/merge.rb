# frozen_string_literal: true

require_relative "multiplexer"

module Streamer
  module Upstream # :nodoc:
    # Several event streams at once; see Streamer.merge.
    module Merge
      class << self
        def call(sources, **options, &block)
          Multiplexer.new(sources, **options).each(method(:read), &block)
          nil
        end

        private

        def read(source, emit)
          response = source
          response = response.call while response.respond_to?(:call)
          return response.each_text(&emit) if response.respond_to?(:each_text) # a provider's

          whole?(response) ? emit.call(Event.new(data: response.read)) : response.each_event(&emit)
        end

        # Whether it is an ordinary response: a success, and by its media type neither an event stream nor NDJSON.
        def whole?(response)
          response.is_a?(Response) && response.success? && !response.event_stream? &&
            Decoder.format_of(response.headers.media_type) != :ndjson
        end
      end
    end
  end
end
