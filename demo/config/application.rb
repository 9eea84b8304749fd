# frozen_string_literal: true

require "rails"
require "action_controller/railtie"
require "action_view/railtie"
require "active_record/railtie"
require "active_job/railtie"
require "action_cable/engine"
require "solid_cable"
require "solid_queue"
require "turbo-rails"
require "streamer"

module Demo
  class Application < Rails::Application
    config.root = File.expand_path("..", __dir__)
    config.load_defaults 7.2

    # As in every Rails application in development: edit a file, reload the page.
    config.enable_reloading = true
    config.eager_load = false
    config.consider_all_requests_local = true

    # bin/demo gives all its processes one, so that each takes what another one has signed.
    config.secret_key_base = ENV.fetch("DEMO_SECRET") { SecureRandom.hex(64) }

    config.logger = ActiveSupport::Logger.new($stdout)
    config.log_level = :info

    # db/prepare.rb makes the tables; pages without a chat do without them.
    config.active_record.migration_error = false
    config.active_record.dump_schema_after_migration = false

    config.active_job.queue_adapter = :solid_queue
    config.solid_queue.connects_to = { database: { writing: :queue } }

    config.streamer.log.store = ENV.key?("DEMO_REDIS") ? :redis : :active_record
    config.streamer.log.redis = { url: ENV["DEMO_REDIS"] } if ENV.key?("DEMO_REDIS")
    config.streamer.log.connects_to = { database: { writing: :logs } }
    # So that a killed worker's answer goes on while one still looks. An application leaves it at 30.
    config.streamer.log.lease = 3

    config.action_cable.allowed_request_origins = [%r{\Ahttp://127\.0\.0\.1:\d+\z}]

    # The JavaScript of gems, as an asset pipeline would serve it.
    [Streamer::Engine, Turbo::Engine, ActionCable::Engine].each do |engine|
      config.middleware.insert_after ActionDispatch::Static, ActionDispatch::Static, engine.root.join("app/assets/javascripts").to_s
    end

    # The pages need nothing but their own origin; EventSource and WebSocket fall under connect-src. The nonce is for the import map, and for
    # the style of Turbo's progress bar.
    config.content_security_policy do |policy|
      policy.default_src :self
      policy.script_src :self
      policy.style_src :self
    end
    config.content_security_policy_nonce_generator = ->(_) { SecureRandom.base64(16) }
    config.content_security_policy_nonce_directives = %w[script-src style-src]

    # Tokens a second, of the answer page at first and of the chat: slow enough to reload, stop and kill meanwhile. bin/demo --pace sets both.
    config.x.pace = Integer(ENV.fetch("DEMO_PACE", 40))
    config.x.chat_pace = Integer(ENV.fetch("DEMO_PACE", 25))
  end
end
