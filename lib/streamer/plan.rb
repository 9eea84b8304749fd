# frozen_string_literal: true

module Streamer
  # How an upstream's answer becomes frames for a browser: what Events#relay and relay_events have in common.
  class Plan # :nodoc:
    FRAMES = %i[json text raw].freeze
    OPTIONS = %i[format value from event done error keep collect].freeze
    OWN = %i[frame ids flush].freeze

    # Frames may be held back so long and up to so much: [milliseconds, bytes]; nil for not at all.
    attr_reader :flush

    # format, value, from, event, done, error, keep, collect: as in Pipeline.
    # frame: :json for {"name":value}, :text for the value's characters, :raw for the upstream's events as they are, comments between them
    # together with the next event. ids: what the frames' ids begin with. flush: { every: seconds, bytes: 4096 }.
    def initialize(frame: :json, ids: nil, flush: nil, **options)
      raise ArgumentError, "frame is one of #{FRAMES.join(", ")}; got #{frame.inspect}" unless FRAMES.include?(frame)

      unknown = options.keys - OPTIONS
      raise ArgumentError, "unknown option #{unknown.first.inspect}; known are #{(OPTIONS + OWN).join(", ")}" if unknown.any?

      @options = { **options, id_prefix: ids, frame: frame }
      @flush = flush && limits_of(flush)
      @pipeline = pipeline # says now what would be wrong with every one
      @values = @pipeline.values?
    end

    # As given.
    def format = @options[:format]

    # Whether values are looked for.
    def values? = @values

    def collects? = !@options[:collect].nil?

    # A new Pipeline, for one answer.
    def pipeline = @pipeline.tap { @pipeline = nil } || Pipeline.new(**@options)

    private

    def limits_of(flush)
      every, bytes = flush.values_at(:every, :bytes) if flush.is_a?(Hash) && (flush.keys - %i[every bytes]).empty?
      bytes ||= 4096
      return [(every * 1000).ceil, bytes] if every.is_a?(Numeric) && every >= 0 && bytes.is_a?(Integer) && bytes.positive?

      raise ArgumentError, "flush is { every: seconds, bytes: 4096 }, where bytes may be left out; got #{flush.inspect}"
    end
  end
end
