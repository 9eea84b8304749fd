# frozen_string_literal: true

# A Rails application that believes no request whose token is not its own, and streams the answer to a form.
require "rails"
require "action_controller/railtie"
require "streamer"

class ForgeryApp < Rails::Application
  config.load_defaults 7.2
  config.eager_load = false
  config.root = __dir__
  config.secret_key_base = "x" * 64
  config.hosts = ["127.0.0.1"]
  config.logger = ActiveSupport::Logger.new($stdout)
  config.action_controller.allow_forgery_protection = true
  config.action_dispatch.show_exceptions = :all
  config.paths["public"] = File.expand_path("../../app/assets/javascripts", __dir__)
end

class AnswersController < ActionController::Base
  include Streamer::Controller

  protect_from_forgery with: :exception

  def up = head(:ok)

  def new
    render inline: <<~HTML
      <!doctype html><title>answers</title><link rel="icon" href="data:,"><%= csrf_meta_tags %>
      <script type="module">import * as streamer from "/streamer.js"; window.streamer = streamer</script>
    HTML
  end

  def create
    question = params[:question]
    stream_events do |events|
      events.write("You asked: #{question}")
      events.write({}, event: "done")
    end
  end
end

Rails.application.initialize!
Rails.application.routes.draw do
  get "/up" => "answers#up"
  get "/answers/new" => "answers#new"
  post "/answers" => "answers#create"
end
run Rails.application
