# frozen_string_literal: true

# The application of the product benchmark: one that asks a language model, in two ways. What its web server and its worker load. APP_ROOT
# is a directory with config/database.yml and config/queue.yml, UPSTREAM the model's URL.
require "rails"
require "action_controller/railtie"
require "active_record/railtie"
require "active_job/railtie"
require "logger"
require "net/http"
require "solid_queue"
require "streamer"

require_relative "busy"
require_relative "../../../demo/config/initializers/sqlite"

class Application < Rails::Application
  config.root = ENV.fetch("APP_ROOT")
  config.load_defaults Rails::VERSION::STRING.to_f
  config.eager_load = true
  config.cache_classes = true
  config.secret_key_base = "only for measuring" * 2
  config.hosts.clear
  config.logger = Logger.new($stderr)
  config.log_level = :error
  config.active_support.isolation_level = :fiber if ENV["FIBERS"]
  config.active_job.queue_adapter = :solid_queue
  config.solid_queue.connects_to = { database: { writing: :queue } }
  config.streamer.log.store = :active_record
  config.streamer.log.connects_to = { database: { writing: :logs } }
  config.middleware.insert(0, Busy)
  routes.append do
    post "synchronous", to: "synchronous#create"
    resources :answers, only: %i[create show] do
      get :events, on: :member
    end
    get "figures", to: "figures#show"
  end
end

Application.initialize!

# Seventeen tokens, two a second.
MODEL = URI("#{ENV.fetch("UPSTREAM")}/v1?n=17&us=500000")

%w[synchronous_controller answer answer_job answers_controller figures_controller].each { |name| require_relative name }
