# frozen_string_literal: true

module Streamer
  class Log
    # Who wants an upstream's answer in a log: here code outside of requests, such as a job; Controller::Origin is an action.
    class Origin # :nodoc:
      # What everybody may read of an error: a log is read by browsers.
      MESSAGE = "The stream was interrupted by an error."

      # The message of a close. The exception's own only where Rails would show it, too.
      def message(error) = error && detailed? ? error.message : MESSAGE

      def report(error) = Streamer.report(error)

      # Runs somebody's code. What it raises is its own.
      def guard(&callback)
        within(&callback)
      rescue StandardError => error
        within { report(error) }
      end

      def notify(event, **payload)
        guard { Instrumentation.publish(event, **context, **payload) } if listened_to?(event)
      end

      def listened_to?(event)
        defined?(ActiveSupport::Notifications) && ActiveSupport::Notifications.notifier.listening?("#{event}.streamer")
      end

      private

      def within = yield

      def context = {}

      def detailed?
        defined?(::Rails.application) && ::Rails.application ? ::Rails.application.config.consider_all_requests_local : false
      end
    end
  end
end
