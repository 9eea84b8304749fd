# frozen_string_literal: true

module Streamer
  module Job
    # Whether Sidekiq has told this process to take no more jobs, which it does at the beginning of its end: its adapters have no `stopping?`
    # before Rails 8.1.
    module Quiet # :nodoc:
      @lock = Mutex.new

      def self.here?
        return false unless defined?(::Sidekiq) && ::Sidekiq.respond_to?(:default_configuration)

        listen
        @quiet == true
      end

      # Once. Sidekiq takes those who listen for as long as it has not said it.
      def self.listen
        @lock.synchronize do
          next if @listens

          @listens = true
          ::Sidekiq.default_configuration.on(:quiet) { @quiet = true }
        end
      end
      private_class_method :listen
    end
  end
end
