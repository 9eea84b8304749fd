# frozen_string_literal: true

module Streamer
  module Generation
    # What people are told. An application says it in its own words, and languages, under `streamer.generation` of its locales:
    #
    #   en:
    #     streamer:
    #       generation:
    #         busy: "…"
    module Messages # :nodoc:
      DEFAULTS = {
        busy: "The service is busy at the moment. Please try again in a while.",
        timeout: "The service did not answer in time. Please try again.",
        connection: "The connection to the service was lost. Please try again.",
        interrupted: "The work was interrupted. Please try again.",
        refused: "The service refused the request.",
        too_long: "The answer is too long. What there is of it was kept.",
        not_queued: "The work could not be begun. Please try again.",
        internal: "Something went wrong. Please try again."
      }.freeze

      def self.[](kind) = ::I18n.t(kind, scope: "streamer.generation", default: DEFAULTS.fetch(kind))

      # Of a limit: how many are in progress.
      def self.limit(count)
        default = if count == 1
                    "One answer is in progress already. Please wait until it is there."
                  else
                    "#{count} answers are in progress already. Please wait until one of them is there."
                  end
        ::I18n.t(:limit_reached, scope: "streamer.generation", count: count, default: default)
      end
    end
  end
end
