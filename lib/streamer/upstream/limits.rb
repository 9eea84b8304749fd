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
          apply
        end

        def apply = Transfer.limit(*@current.values_at(:per_origin, :total, :idle_age, :age).map { |limit| limit || 0 })

        private

        def check(name, value)
          return if value.nil? || (value.is_a?(Integer) && value.positive?)

          raise ArgumentError, "#{name} must be a positive Integer or nil (got #{value.inspect})"
        end
      end

      apply
    end
  end
end
