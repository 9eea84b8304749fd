# frozen_string_literal: true

require "rails"
require "action_controller/railtie"
require "action_view/railtie"
require "streamer"

module Demo
  class Application < Rails::Application
    config.root = File.expand_path("..", __dir__)
    config.load_defaults 7.2

    # As in every Rails application in development: edit a file, reload the page.
    config.enable_reloading = true
    config.eager_load = false
    config.consider_all_requests_local = true

    # Nothing here outlives the process, so neither need the key.
    config.secret_key_base = SecureRandom.hex(64)

    config.logger = ActiveSupport::Logger.new($stdout)
    config.log_level = :info

    # The gem's JavaScript, as an asset pipeline would serve it.
    config.middleware.insert_after ActionDispatch::Static, ActionDispatch::Static, File.expand_path("../../app/assets/javascripts", __dir__)

    # The pages need nothing but their own origin; EventSource falls under connect-src.
    config.content_security_policy { |policy| policy.default_src :self }

    # Tokens a second the answer page starts with; bin/demo --pace sets it.
    config.x.pace = Integer(ENV.fetch("DEMO_PACE", 40))
  end
end
