# frozen_string_literal: true

require_relative "multiplexer"

module Streamer
  module Upstream # :nodoc:
    # Several ordinary responses at once; see Streamer.gather.
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
          response = source.respond_to?(:call) ? source.call : source
          response = response.call if response.is_a?(Request)
          emit.call(content(response))
        end

        def content(response)
          return response.text if response.respond_to?(:each_text) # a provider's
          return response unless response.is_a?(Response)

          response.ensure_success!
          Text.json?(response.headers) ? response.json : response.read
        end
      end
    end
  end
end
