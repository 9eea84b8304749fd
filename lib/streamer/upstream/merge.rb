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
          answer = source
          answer = answer.call while answer.respond_to?(:call)
          return answer.each_text(&emit) if answer.respond_to?(:each_text) # a provider's

          whole?(answer) ? emit.call(Event.new(data: answer.read)) : answer.each_event(&emit)
        end

        # Whether it is an ordinary answer: a success, and by its media type neither an event stream nor NDJSON.
        def whole?(answer)
          answer.is_a?(Response) && answer.success? && !answer.event_stream? &&
            Decoder.format_of(answer.headers.media_type) != :ndjson
        end
      end
    end
  end
end
