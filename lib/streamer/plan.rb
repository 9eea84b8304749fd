# frozen_string_literal: true

module Streamer
  # How an upstream's answer becomes frames for a browser: what Events#relay and relay_events have in common.
  class Plan # :nodoc:
    FRAMES = %i[json text raw].freeze

    # Frames may be held back so long and up to so much: [milliseconds, bytes]; nil for not at all.
    attr_reader :flush

    # value, event, done, keep, collect: as in Pipeline. frame: :json for {"name":value}, :text for the value's characters, :raw for the
    # upstream's events as they are, comments between them together with the next event. ids: what the frames' ids begin with. flush: { every: seconds, bytes: 4096 }.
    def initialize(value: nil, event: nil, done: "[DONE]", frame: :json, ids: nil, keep: {}, collect: nil, flush: nil)
      raise ArgumentError, "frame is one of #{FRAMES.join(", ")}; got #{frame.inspect}" unless FRAMES.include?(frame)

      @options = { value: value, event: event, id: ids, done: done, keep: keep, collect: collect,
                   text: frame == :text, raw: frame == :raw }
      @flush = flush && [(flush.fetch(:every) * 1000).ceil, flush.fetch(:bytes, 4096)]
      pipeline # says now what would be wrong with every one
    end

    # A new Pipeline, for one answer.
    def pipeline = Pipeline.new(**@options)
  end
end
