# frozen_string_literal: true

# An application whose worker tells browsers of its web server, in the ways that are compared: what both processes load. APP_ROOT is a
# directory with config/database.yml and config/cable.yml; WAY and STORE say which way.
require "rails"
require "action_controller/railtie"
require "active_record/railtie" unless ENV.fetch("STORE") == "redis"
require "logger"

require_relative "sql"

WAY = ENV.fetch("WAY")
STORE = ENV.fetch("STORE")

if WAY == "streamer"
  require "streamer"
else
  require "action_cable/engine"
  require "active_job/railtie"
  require "solid_cable" if WAY == "solid_cable"
end

# Before version 4, which needs Ruby 3.3, Solid Cable reads its configuration's file anew for each message.
if WAY == "solid_cable" && SolidCable.respond_to?(:cable_config, true)
  SolidCable.define_singleton_method(:cable_config) { @cable_config ||= Rails.application.config_for("cable") }
end

class Application < Rails::Application
  config.root = ENV.fetch("APP_ROOT")
  config.load_defaults Rails::VERSION::STRING.to_f
  config.eager_load = true
  config.cache_classes = true # as in production: nothing is looked up on disk for each request
  config.secret_key_base = "only for measuring" * 2
  config.hosts.clear
  config.logger = Logger.new(File::NULL)
  config.log_level = :fatal
  config.public_file_server.enabled = true
  config.streamer.log.store = STORE == "redis" ? :redis : :active_record if WAY == "streamer"
  config.streamer.log.redis = { url: ENV.fetch("REDIS_URL") } if WAY == "streamer" && STORE == "redis"
  if WAY != "streamer"
    config.action_cable.mount_path = "/cable"
    config.action_cable.disable_request_forgery_protection = true
  end
  routes.append do
    get "statements", to: ->(_) { [200, {}, [SQL.statements.to_s]] }
    get "answers/:id", to: "answers#show" if WAY == "streamer"
    post "answers/:id/stop", to: "answers#stop" if WAY == "streamer"
  end
end

Application.initialize!

if WAY == "streamer"
  class AnswersController < ActionController::Base
    include Streamer::Controller

    skip_forgery_protection

    def show = follow_events(Streamer::Log.find(params[:id]))

    # Answers with the time when it was asked.
    def stop
      asked = Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
      Streamer::Log.find(params[:id]).stop
      render json: { asked: asked }
    end
  end
else
  class Answers < ActionCable::Channel::Base
    def subscribed = stream_from("answer:#{params[:id]}")
  end
end
