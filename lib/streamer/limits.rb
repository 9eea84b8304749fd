# frozen_string_literal: true

# What the whole process keeps to when it sends requests.
module Streamer
  # per_origin, total: requests under way at once, to one origin (scheme, host and port) and altogether; nil for no limit. Who comes
  # later waits for a turn, first come, first served, at most the queue timeout. What is counted are requests, not connections: over
  # HTTP/2 many share one. A request holds its place from its sending to its answer's end or cancel, so a block that
  # reads one answer and sends another request to the same origin needs two.
  # idle_age, age: seconds after which a connection is not used again, from its last use and from its making; nil for no matter.
  LIMITS = { per_origin: nil, total: nil, idle_age: 55, age: 900 }.freeze

  @limits = LIMITS

  class << self
    # The limits in force, a Hash as LIMITS.
    attr_reader :limits

    # Streamer.limits = { per_origin: 20, total: 200 }: what is not named has its default. Holds from the next request on, in every
    # thread. Each reactor counts its own: that of all plain threads, and one for each thread that runs a fiber scheduler.
    def limits=(limits)
      unknown = limits.keys - LIMITS.keys
      raise ArgumentError, "unknown limit #{unknown.first.inspect}; known are #{LIMITS.keys.join(", ")}" if unknown.any?

      limits.each { |name, value| check_limit(name, value) }
      @limits = LIMITS.merge(limits).freeze
      Transfer.limit(@limits[:per_origin] || 0, @limits[:total] || 0)
    end

    private

    def check_limit(name, value)
      return if value.nil? || (value.is_a?(Integer) && value.positive?)

      raise ArgumentError, "#{name} is a positive Integer or nil; got #{value.inspect}"
    end
  end
end
