# frozen_string_literal: true

require "rails/railtie"

module Streamer
  # What this gem warns of before it changes: app.deprecators[:streamer] in a Rails application. An ActiveSupport::Deprecation.
  def self.deprecator
    @deprecator ||= ActiveSupport::Deprecation.new("1.0", "Streamer")
  end

  # In a Rails application, config/application.rb or an initializer of its own:
  #
  #   config.streamer.heartbeat = 15     # seconds of silence after which a stream writes a comment; :event for an event; nil or 0 for none
  #   config.streamer.write_timeout = 30 # seconds in which a browser may take nothing before it counts as gone
  #   config.streamer.rotate = 55        # seconds after which follow_events ends a stream, for the browser to come back; nil for never
  #   config.streamer.drain_timeout = 25 # seconds that relays have to finish in when the process is told to end; on Falcon 0.8
  #
  #   config.streamer.log.store = :active_record # where logs are kept: also :redis, :memory (one process), or a store
  #   config.streamer.log.connects_to = { database: { writing: :streamer } } # a database of their own
  #   config.streamer.log.listen_url = ENV["DIRECT_DATABASE_URL"] # PostgreSQL without the pooler in between
  #   config.streamer.log.redis = { url: ENV["REDIS_URL"] }
  #   config.streamer.log.retention = 1.hour     # for which entries are kept once a log is closed; its text stays
  #   config.streamer.log.lease = 30             # seconds after which a writer that is not heard of has lost its log
  #
  # Settings are checked when the application has been initialized. What pages need (helpers, JavaScript) is in Engine.
  class Railtie < ::Rails::Railtie
    config.streamer = ActiveSupport::OrderedOptions.new
    config.streamer.log = ActiveSupport::OrderedOptions.new

    initializer "streamer.deprecator", before: :load_environment_config do |app|
      app.deprecators[:streamer] = Streamer.deprecator
    end

    # Here, since Rails 8.2 deprecates doing so after initialization.
    initializer "streamer.mimetype" do
      ::Mime::Type.register("text/event-stream", :event_stream) if defined?(::Mime::Type)
    end

    # What becomes of them where an action lets them pass.
    STATUSES = { "Streamer::UnknownLogError" => :not_found, "Streamer::InvalidPositionError" => :bad_request,
                 "Streamer::StoreUnavailableError" => :service_unavailable }.freeze
    private_constant :STATUSES

    initializer "streamer.statuses", before: "action_dispatch.configure" do |app|
      app.config.action_dispatch.rescue_responses.reverse_merge!(STATUSES) if app.config.respond_to?(:action_dispatch)
    end

    initializer "streamer.config" do
      config.after_initialize { |app| Configuration.apply(app.config.streamer.except(:log)) }
    end

    # Not before the models are there, which Active Record's store is one of.
    initializer "streamer.log" do
      config.after_initialize do |app|
        next if app.config.streamer.log.empty?

        adapter = app.config.respond_to?(:active_job) ? app.config.active_job.queue_adapter : nil
        Log::Settings.new(app.config.streamer.log, queue_adapter: adapter).apply
        # It says what becomes of generations whose worker is gone; a process that has loaded none of them may be the one that notices.
        require "streamer/generation" if defined?(::ActiveRecord)
        Log.reaps = !::Rails.env.test?
        # In whichever process does something, also where it has forked, and not in those that only make tables, say.
        app.executor.to_run { Log.background } if Log.reaps
      end
    end

    initializer "streamer.executor" do |app|
      Relay::Dispatcher.executor = app.executor
    end

    initializer "streamer.test_assertions" do
      ActiveSupport.on_load(:action_dispatch_integration_test) do
        require "streamer/testing"
        include Streamer::Testing::Assertions, Streamer::Testing::Integration

        Streamer::Testing::Integration.register_encoder
      end
      ActiveSupport.on_load(:action_dispatch_system_test_case) do
        require "streamer/testing"
        include Streamer::Testing::System
      end
    end
  end
end
