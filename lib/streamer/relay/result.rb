# frozen_string_literal: true

module Streamer
  class Relay
    # How a relayed response ended; what the block of relay_events gets.
    class Result
      # :completed, :failed, :timed_out or :cancelled
      attr_reader :status

      # Why, unless completed. Of a cancelled one: :stopped (Streamer.stop), :shutdown (the process ends), :disconnected (the browser left),
      # :slow (it took nothing for the write timeout), :interrupted (whoever waited for it), or :cancelled (the server ended the request's own
      # fiber or thread, and does not say why). Otherwise the error's name, such as :idle_timeout or :response; :internal for what is no Streamer::Error.
      attr_reader :reason

      # The Streamer::Error, or what else went wrong (:internal); nil when completed.
      attr_reader :error

      # The relayed values that are Strings, joined, up to the ceiling of collect:. What had come, however it ended.
      attr_reader :text

      # Whether more had come than that ceiling.
      def text_cut? = @text_cut

      # The last value of each path of keep:, a Hash of name => value.
      attr_reader :kept

      # The names of keep: whose last value was larger than 1 MiB and was left out: kept has the one before it, or none. An Array.
      attr_reader :kept_truncated

      # Seconds from the start to first_event and to the end (duration), redirects included; frames; bytes sent to the browser.
      # first_event is nil where there was none. upstream: of the last request alone, as Response#timings; nil where it was not seen.
      attr_reader :timings

      # As given to Streamer.stop.
      attr_reader :key

      def initialize(key:, text: "", text_cut: false, kept: {}, kept_truncated: [], timings: {}, error: nil, reason: nil) # :nodoc:
        @key = key
        @text = text
        @text_cut = text_cut
        @kept = kept
        @kept_truncated = kept_truncated
        @timings = timings
        @error = error
        @status = status_of(error)
        @reason = reason || reason_of(error)
      end

      # Whether the status is :completed.
      def completed? = status == :completed

      # As Handle#stop of a relay that is over: there is nothing to end.
      def stop = false

      private

      def status_of(error)
        case error
        when nil then :completed
        when TimeoutError then :timed_out
        when CancelledError, BrowserDisconnectedError, StoppedError then :cancelled
        else :failed
        end
      end

      def reason_of(error)
        case error
        when nil then nil
        when BrowserDisconnectedError then error.slow? ? :slow : :disconnected
        when CancelledError then :cancelled
        else Error.name_of(error).to_sym
        end
      end
    end
  end
end
