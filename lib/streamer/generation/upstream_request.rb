# frozen_string_literal: true

module Streamer
  module Generation
    # The ledger: one row for every request to an upstream, so that none is paid for unseen.
    #
    #   attempt      as in the log
    #   outcome      nil while it is under way, then completed, failed, cancelled, timed_out or interrupted
    #   usage        what the provider has said of it, JSON; nil for "unknown"
    #   resumed      whether it read on in the response of an earlier one, and asked the model for nothing
    #   response_id  the provider's name of a response that can be read on; rows that have the same are one bill
    #   bytes        of text that it brought; nil where nobody lived to count them
    #   discarded    whether its text was given up for an attempt that began anew
    class UpstreamRequest < ::ActiveRecord::Base
      self.table_name = "streamer_upstream_requests"
      belongs_to :generation, polymorphic: true

      # Those that nobody came to say the end of.
      def self.end_all(outcome) # :nodoc:
        where(outcome: nil).unscope(:order).update_all(outcome: outcome, finished_at: Time.current)
      end

      # Once; what ends later changes nothing.
      def end_with(outcome, usage: nil, bytes: nil) # :nodoc:
        changes = { outcome: outcome, usage: usage&.to_json, bytes: bytes, finished_at: Time.current }.compact
        self.class.where(id: id, outcome: nil).update_all(changes)
      end
    end
  end
end
