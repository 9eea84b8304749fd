# frozen_string_literal: true

module Streamer
  module Generation
    # A generation's requests to upstreams: what is written down of each, before it is sent and when it has ended.
    class Ledger # :nodoc:
      def initialize(generation)
        @generation = generation
      end

      # Before it is sent. out: the Output that it writes into. point: from where it reads on; nil for a request that asks the model.
      def enter(out, point)
        @out = out
        @bytes_before = out.bytes
        @entry = entries.create!(attempt: out.attempt, started_at: Time.current, resumed: !point.nil?, response_id: point&.response_id)
      end

      # The name by which the provider can be asked for the rest.
      def name(response_id) = UpstreamRequest.where(id: @entry.id).update_all(response_id: response_id)

      # The one that was entered last has ended.
      def leave(outcome) = @entry&.end_with(outcome, usage: @out.usage, bytes: @out.bytes - @bytes_before)

      # How often a model was asked.
      def asked = entries.where(resumed: false).count

      # The name of a response that nobody has heard the end of; nil.
      def open_response
        last = entries.reorder(id: :desc).first
        last.response_id if last && [nil, "interrupted"].include?(last.outcome)
      end

      # What they brought is void: this attempt begins anew.
      def discard(bytes)
        entries.where(discarded: false, bytes: nil).update_all(bytes: bytes)
        entries.where(discarded: false).update_all(discarded: true)
      end

      private

      def entries = @generation.upstream_requests
    end
  end
end
