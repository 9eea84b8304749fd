# frozen_string_literal: true

module Streamer
  module Generation
    # Where an answer can be read on at its provider: the response's name there, and the place in it behind which nothing is in the log; nil where
    # nothing is.
    #
    # The place travels in the log's entries beside the text that it belongs to, so that no crash comes between the two.
    class ResumePoint # :nodoc:
      attr_reader :response_id, :cursor

      # The one of a response whose text, as far as it came, is in a log.
      def self.in(log, head, response_id) = new(response_id, last_cursor(log, head))

      # From the end of the text backwards; among the entries behind the last text are few others.
      def self.last_cursor(log, head)
        position = head.position
        while position.epoch >= head.text_epoch
          entry = log.entries(after: position.before, limit: 1).first or return
          data = JSON.parse(entry.data)
          return data["cursor"] if entry.kind == :data && data.is_a?(Hash) && data.key?("cursor")

          position = preceding(position, data) or return
        end
      end

      def self.preceding(position, data)
        return position.before if position.sequence.positive?

        Log::Position.parse(data["from"].to_s)
      end
      private_class_method :last_cursor, :preceding

      def initialize(response_id, cursor)
        @response_id = response_id
        @cursor = cursor
      end
    end
  end
end
