# frozen_string_literal: true

require_relative "circuit_breaker/permit"
require_relative "instrumentation"
require_relative "upstream/url"

module Streamer
  # Stops asking an upstream that fails again and again: requests to its origin then end at once with CircuitOpenError, until one is let
  # through to see whether it is back.
  #
  #   client = Streamer::Client.new(url, circuit: Streamer::CircuitBreaker.new(error_threshold: 5, error_timeout: 30))
  #
  # A failure is an attempt that ends without a response, by an error or a timeout, or with a 5xx; any other response is a success, and sets
  # the count to 0. What happens behind the head does not count, nor does a cancelled request. Each origin (scheme, host and port) has a
  # circuit of its own. A change is published as circuit.streamer (origin, state) where ActiveSupport::Notifications is loaded.
  #
  # May be shared by all threads, fibers and clients of a process.
  class CircuitBreaker
    # Of an origin that failed: how often in a row; when the next probe may be made, if it is open; whether one is under way.
    Origin = Struct.new(:failures, :due, :probing)
    private_constant :Origin

    # error_threshold: how many failures in a row open it. error_timeout: seconds until a probe. Raises ArgumentError.
    def initialize(error_threshold: 5, error_timeout: 30)
      unless error_threshold.is_a?(Integer) && error_threshold.positive?
        raise ArgumentError, "error_threshold must be a positive Integer (got #{error_threshold.inspect})"
      end
      unless error_timeout.is_a?(Numeric) && error_timeout.positive?
        raise ArgumentError, "error_timeout must be a positive number of seconds (got #{error_timeout.inspect})"
      end

      @error_threshold = error_threshold
      @error_timeout = error_timeout
      @lock = Mutex.new
      @origins = {} # only those that failed
    end

    # origin: a URL, of which scheme, host and port count: "https://api.example.com". :closed, :open, or :half_open when a probe may be made
    # or is under way. Raises ArgumentError.
    def state(origin)
      origin = Upstream::URL.parse(origin).origin
      @lock.synchronize do
        known = @origins[origin]
        next :closed if known&.due.nil?

        known.probing || known.due <= Clock.now ? :half_open : :open
      end
    end

    # A Permit. Raises CircuitOpenError.
    def enter(origin) = Permit.new(origin, admit(origin), method(:judge), method(:leave)) # :nodoc:

    private

    def judge(origin, probe, outcome)
      outcome.is_a?(Error) || outcome.between?(500, 599) ? failed(origin, probe) : succeeded(origin)
    end

    # Whether what is let through is the probe.
    def admit(origin)
      @lock.synchronize do
        known = @origins[origin]
        next false if known&.due.nil?

        left = known.due - Clock.now
        raise CircuitOpenError.new(origin, [left, 0].max) if known.probing || left.positive?

        known.probing = true
      end.tap { |probe| publish(origin, :half_open) if probe }
    end

    def leave(origin)
      @lock.synchronize { @origins[origin]&.probing = false }
    end

    def failed(origin, probe)
      opened = @lock.synchronize do
        known = @origins[origin] ||= Origin.new(0, nil, false)
        known.failures += 1
        known.probing = false if probe
        next unless probe || (known.due.nil? && known.failures >= @error_threshold)

        known.due = Clock.now + @error_timeout
      end
      publish(origin, :open) if opened
    end

    def succeeded(origin)
      known = @lock.synchronize { @origins.delete(origin) }
      publish(origin, :closed) if known&.due
    end

    def publish(origin, state) = Instrumentation.publish("circuit", origin: origin, state: state)
  end
end
