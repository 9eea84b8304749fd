# frozen_string_literal: true

require "time"

module Streamer
  # When a request that came to nothing is sent again, and how long that waits. Only ever while nothing of a response was delivered:
  #
  # - It was not sent: the name did not resolve, nobody listened, a connection took too long or was not free. Any method.
  # - It was refused: 408, 409, 429 or 5xx. Any method. The upstream's x-should-retry: true or false is believed.
  # - The connection closed: any method before the first line of the response; after it only methods that are idempotent (RFC 9110, section
  #   9.2.2: not POST, not PATCH).
  # - It took too long after it was sent (first_byte, first_event, idle, event_idle): only idempotent methods. A total timeout never: it
  #   spans all attempts.
  #
  # It waits as the upstream says (retry-after-ms; Retry-After in seconds or as a date), else for base_delay * 2 ** attempts seconds, at most
  # max_delay, of which up to half is taken off at random, so that many clients do not come back together.
  #
  # Frozen, so one may be shared by all.
  class RetryPolicy
    IDEMPOTENT = %w[GET HEAD OPTIONS TRACE PUT DELETE].freeze

    private_constant :IDEMPOTENT

    # How many further attempts.
    attr_reader :max_retries

    # value: what retries: was given, a RetryPolicy, a number of times, or nil for none.
    def self.of(value)
      case value
      when RetryPolicy then value
      when nil then NONE
      when Integer then new(max_retries: value)
      else raise ArgumentError, "retries is a number of further attempts or a Streamer::RetryPolicy; got #{value.inspect}"
      end
    end

    # Seconds that an upstream asks for, or nil: RFC 9110, section 10.2.3, and what some APIs say more exactly.
    def self.asked_wait(headers) # :nodoc:
      milliseconds, text = headers.values_at("retry-after-ms", "retry-after")
      return milliseconds.to_f / 1000 if milliseconds&.match?(/\A\d+(\.\d+)?\z/)
      return if text.nil?
      return text.to_f if text.match?(/\A\d+(\.\d+)?\z/)

      [Time.httpdate(text) - Time.now, 0].max
    rescue ArgumentError
      nil # neither a number nor a date
    end

    # max_retries: further attempts. base_delay, max_delay: seconds. max_retry_after: seconds of a Retry-After that are waited; a request
    # that is asked to wait longer is not sent again.
    def initialize(max_retries: 2, base_delay: 0.5, max_delay: 8, max_retry_after: 60)
      unless max_retries.is_a?(Integer) && max_retries >= 0
        raise ArgumentError, "max_retries must be a number of attempts, 0 or more (got #{max_retries.inspect})"
      end

      { base_delay: base_delay, max_delay: max_delay, max_retry_after: max_retry_after }.each do |name, seconds|
        next if seconds.is_a?(Numeric) && seconds >= 0

        raise ArgumentError, "#{name} must be a number of seconds (got #{seconds.inspect})"
      end
      @max_retries = max_retries
      @base_delay = base_delay
      @max_delay = max_delay
      @max_retry_after = max_retry_after
      freeze
    end

    NONE = new(max_retries: 0)
    private_constant :NONE

    # Seconds to wait before the attempt that follows; nil when there is none. outcome: of the last one, a Response or ResponseError, or the
    # error in its place. answered: whether a line of a response had arrived. attempts: how many there were again already.
    def delay_after(outcome, method, answered, attempts)
      return if attempts >= max_retries
      return delay_after_response(outcome.status, outcome.headers, attempts) if outcome.respond_to?(:status)

      back_off(attempts) if harmless?(outcome, IDEMPOTENT.include?(method), answered)
    end

    # Seconds before the next attempt, after so many.
    def back_off(attempts)
      [@base_delay * (2**[attempts, 32].min), @max_delay].min * rand(0.5..1.0)
    end

    private

    def delay_after_response(status, headers, attempts)
      return unless refused?(status, headers)

      asked = RetryPolicy.asked_wait(headers)
      return back_off(attempts) unless asked

      asked if asked <= @max_retry_after
    end

    def refused?(status, headers)
      case headers["x-should-retry"]
      when "true" then !status.between?(200, 399)
      when "false" then false
      else [408, 409, 429].include?(status) || status.between?(500, 599)
      end
    end

    def harmless?(error, idempotent, answered)
      case error
      when ResolveError, ConnectError, ConnectTimeoutError, QueueTimeoutError then true
      when ClosedError then idempotent || !answered
      when TotalTimeoutError then false
      when TimeoutError then idempotent
      end
    end
  end
end
