# frozen_string_literal: true

require_relative "multiplexer"

module Streamer
  module Upstream # :nodoc:
    # Several ordinary answers at once; see Streamer.gather.
    module Gather
      class << self
        def call(sources, **options)
          results = {}
          Multiplexer.new(sources, **options).each(method(:read)) do |name, result|
            results[name] = result
            yield name, result if block_given?
          end
          sources.each_key.to_h { |name| [name, results[name]] }
        end

        private

        def read(source, emit)
          answer = source.respond_to?(:call) ? source.call : source
          answer = answer.call if answer.is_a?(Request)
          emit.call(content(answer))
        end

        def content(answer)
          return answer.text if answer.respond_to?(:each_text) # a provider's
          return answer unless answer.is_a?(Response)

          answer.ensure_success!
          Text.json?(answer.headers) ? answer.json : answer.read
        end
      end
    end
  end
end
