# frozen_string_literal: true

module Streamer
  # How a relayed answer ended; what the block of relay_events gets.
  class Result
    # :completed, :failed, :timed_out or :cancelled
    attr_reader :status

    # Why, unless completed: :stopped, :shutdown, :disconnected, :slow, or the error's name such as :idle_timeout.
    attr_reader :reason

    # The Streamer::Error; nil when completed.
    attr_reader :error

    # The relayed values that are Strings, joined, up to the ceiling of collect:. What had come, however it ended.
    attr_reader :text

    # The last value of each path of keep:, a Hash of name => value.
    attr_reader :kept

    # Seconds: first_event and duration; counts: frames and bytes. nil where it did not happen.
    attr_reader :timings

    # As given to Relay.stop.
    attr_reader :key

    def initialize(key:, text: "", kept: {}, timings: {}, error: nil, reason: nil)
      @key = key
      @text = text
      @kept = kept
      @timings = timings
      @error = error
      @status = status_of(error)
      @reason = reason || reason_of(error)
    end

    def completed? = status == :completed

    private

    def status_of(error)
      case error
      when nil then :completed
      when TimeoutError then :timed_out
      when CancelledError, ClientDisconnected then :cancelled
      else :failed
      end
    end

    def reason_of(error)
      case error
      when nil then nil
      when ClientDisconnected then error.slow? ? :slow : :disconnected
      else Error.name_of(error).to_sym
      end
    end
  end
end
