# frozen_string_literal: true

module Streamer
  module Generation
    # The ledger: one row for every request to an upstream, so that none is paid for unseen.
    class UpstreamRequest < ::ActiveRecord::Base
      self.table_name = "streamer_upstream_requests"
      belongs_to :generation, polymorphic: true

      # attempt: as in the log. outcome: nil while it is under way, then completed, failed, cancelled, timed_out or interrupted. usage: what the
      # provider has said of it; nil for "unknown".
      def end_with(outcome, usage: nil)
        self.class.where(id: id, outcome: nil).update_all(outcome: outcome, usage: usage&.to_json, finished_at: Time.current)
      end
    end
  end
end
