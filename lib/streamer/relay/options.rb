# frozen_string_literal: true

module Streamer
  class Relay
    # How an upstream's response becomes frames for a browser: what Events#relay and relay_events have in common.
    class Options
      OPTIONS = %i[format value from event done error keep collect max_line max_event].freeze
      OWN = %i[frame id_prefix id_start flush].freeze
      private_constant :OPTIONS, :OWN

      # Frames may be held back so long and up to so much: [milliseconds, bytes]; nil for not at all.
      attr_reader :flush # :nodoc:

      # What is relayed, a Request or a Response, and the options that it declares itself, as a provider's Chat does: anything with
      # `request` and `relay_options`. Raises ArgumentError.
      def self.of(upstream) # :nodoc:
        return [upstream.request, upstream.relay_options] if upstream.respond_to?(:relay_options)
        return [upstream, {}] if upstream.is_a?(Request) || upstream.respond_to?(:each_frames)

        raise ArgumentError, "expected a Streamer::Request, a Response or a provider's chat (got #{upstream.class})"
      end

      # format, value, from, event, done, error, keep, collect, max_line, max_event: as in Pipeline.
      # frame: :json for {"name":value}, :text for the value's characters, :raw for the upstream's events as they are, and comments
      # between them. id_prefix, id_start: what the frames' ids begin with, and the first one's number. flush: { every: seconds, bytes: 4096 }.
      # reserved: of a log's entries, see Pipeline::Settings.
      def initialize(frame: :json, id_prefix: nil, id_start: 1, flush: nil, reserved: nil, **options)
        unknown = options.keys - OPTIONS
        raise ArgumentError, "unknown option #{unknown.first.inspect}; known are #{(OPTIONS + OWN).join(", ")}" if unknown.any?

        @options = { **options, id_prefix: id_prefix, id_start: id_start, frame: frame }
        @options[:reserved] = reserved if reserved
        @flush = flush && limits_of(flush)
        @pipeline = pipeline # says now what would be wrong with every one
        @values = @pipeline.values?
      end

      # As given.
      def format = @options[:format] # :nodoc:

      # Whether values are looked for.
      def values? = @values # :nodoc:

      def collects? = !@options[:collect].nil? # :nodoc:

      # A new Pipeline, for one response.
      def pipeline = @pipeline.tap { @pipeline = nil } || Pipeline.new(**@options) # :nodoc:

      private

      def limits_of(flush)
        every, bytes = flush.values_at(:every, :bytes) if flush.is_a?(Hash) && (flush.keys - %i[every bytes]).empty?
        bytes ||= 4096
        return [(every * 1000).ceil, bytes] if every.is_a?(Numeric) && every >= 0 && bytes.is_a?(Integer) && bytes.positive?

        raise ArgumentError, "flush is { every: seconds, bytes: 4096 }, where bytes may be left out; got #{flush.inspect}"
      end
    end
  end
end
