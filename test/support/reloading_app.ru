# frozen_string_literal: true

# An application in development, with its code in APP_ROOT/app: what is edited there counts from the next request on.
require "logger"
require "rails"
require "action_controller/railtie"
require "streamer"

class ReloadingApp < Rails::Application
  config.root = ENV.fetch("APP_ROOT")
  config.load_defaults Rails::VERSION::STRING.to_f
  config.enable_reloading = true
  config.eager_load = false
  config.active_support.isolation_level = ENV.fetch("ISOLATION").to_sym
  config.logger = Logger.new($stdout, level: :warn)
  config.secret_key_base = "only for tests"
  config.hosts.clear
  routes.append do
    get "/up" => "greetings#show"
    get "/greetings/:action" => "greetings"
  end
end

ReloadingApp.initialize!
run ReloadingApp
