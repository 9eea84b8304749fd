# frozen_string_literal: true

require_relative "notices"

module Streamer
  # Stops asking an upstream that fails again and again: requests to its origin then end at once with CircuitOpenError, until one is let
  # through to see whether it is back.
  #
  #   client = Streamer::Client.new(url, circuit: Streamer::Circuit.new(failures: 5, cooldown: 30))
  #
  # A failure is an attempt that ends without an answer, by an error or a timeout, or with a 5xx; any other answer is a success, and sets
  # the count to 0. What happens behind the head does not count, nor does a cancelled request. Each origin (scheme, host and port) has a
  # circuit of its own. A change is published as circuit.streamer (origin, state) where ActiveSupport::Notifications is loaded.
  #
  # May be shared by all threads, fibers and clients of a process.
  class Circuit
    # Of an origin that failed: how often in a row; when the next probe may be made, if it is open; whether one is under way.
    Origin = Struct.new(:failures, :due, :probing)
    private_constant :Origin

    # failures: how many in a row open it. cooldown: seconds until a probe.
    def initialize(failures: 5, cooldown: 30)
      raise ArgumentError, "failures is a positive number; got #{failures.inspect}" unless failures.is_a?(Integer) && failures.positive?
      raise ArgumentError, "cooldown is a number of seconds; got #{cooldown.inspect}" unless cooldown.is_a?(Numeric) && cooldown.positive?

      @failures = failures
      @cooldown = cooldown
      @lock = Mutex.new
      @origins = {} # only those that failed
    end

    # origin: "https://api.example.com". :closed, :open, or :half_open when a probe may be made or is under way.
    def state(origin)
      @lock.synchronize do
        known = @origins[origin]
        next :closed if known&.due.nil?

        known.probing || known.due <= now ? :half_open : :open
      end
    end

    # A request that was let through, until one of its two ends has come.
    class Passage # :nodoc:
      def initialize(origin, probe, judge, leave)
        @origin = origin
        @probe = probe
        @judge = judge
        @leave = leave
      end

      # outcome: the status of its answer, or the error in its place.
      def judge(outcome) = over { @judge.call(@origin, @probe, outcome) }

      # It was cancelled, and says nothing of the upstream.
      def leave = over { @leave.call(@origin) if @probe }

      private

      def over
        yield unless @over
        @over = true
      end
    end
    private_constant :Passage

    # A Passage. Raises CircuitOpenError.
    def enter(origin) = Passage.new(origin, admit(origin), method(:judge), method(:leave)) # :nodoc:

    # Yields unless it is open, and judges by what the block returns, a Response or an error. Raises CircuitOpenError.
    def guard(origin) # :nodoc:
      passage = enter(origin)
      answer = yield
      passage.judge(answer.is_a?(Error) ? answer : answer.status)
      answer
    ensure
      passage&.leave
    end

    private

    def judge(origin, probe, outcome)
      outcome.is_a?(Error) || outcome.between?(500, 599) ? failed(origin, probe) : succeeded(origin)
    end

    # Whether what is let through is the probe.
    def admit(origin)
      @lock.synchronize do
        known = @origins[origin]
        next false if known&.due.nil?

        left = known.due - now
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
        next unless probe || (known.due.nil? && known.failures >= @failures)

        known.due = now + @cooldown
      end
      publish(origin, :open) if opened
    end

    def succeeded(origin)
      known = @lock.synchronize { @origins.delete(origin) }
      publish(origin, :closed) if known&.due
    end

    def publish(origin, state) = Notices.publish("circuit", origin: origin, state: state)

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
