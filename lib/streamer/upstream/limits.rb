# frozen_string_literal: true

module Streamer
  module Upstream # :nodoc:
    # What the whole process keeps to when it sends requests; see Streamer.limits.
    module Limits # :nodoc:
      DEFAULTS = { per_origin: nil, total: nil, idle_age: 55, age: 900 }.freeze

      @current = DEFAULTS

      class << self
        attr_reader :current

        def current=(limits)
          unknown = limits.keys - DEFAULTS.keys
          raise ArgumentError, "unknown limit #{unknown.first.inspect}; known are #{DEFAULTS.keys.join(", ")}" if unknown.any?

          limits.each { |name, value| check(name, value) }
          @current = DEFAULTS.merge(limits).freeze
          Transfer.limit(@current[:per_origin] || 0, @current[:total] || 0)
        end

        private

        def check(name, value)
          return if value.nil? || (value.is_a?(Integer) && value.positive?)

          raise ArgumentError, "#{name} must be a positive Integer or nil (got #{value.inspect})"
        end
      end
    end
  end
end
