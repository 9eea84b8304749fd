# frozen_string_literal: true

require "rails/engine"
require_relative "railtie"

module Streamer
  # What a Rails application's pages need, by what the application has: the view helpers, the JavaScript for Propshaft or Sprockets, and its
  # pins for importmap-rails. Settings are in Railtie.
  class Engine < ::Rails::Engine
    # The helpers stay loaded, as ActionController::Base does, which has them.
    config.autoload_once_paths = ["#{root}/app/helpers"]

    initializer "streamer.helpers", before: :load_config_initializers do
      ActiveSupport.on_load(:action_controller_base) { helper Engine.helpers }
    end

    # Where there is Action Cable.
    initializer "streamer.generation_channel" do
      ActiveSupport.on_load(:action_cable) { Streamer.autoload :GenerationChannel, "streamer/generation_channel" }
    end

    # Propshaft serves all that it finds; Sprockets wants to be told.
    initializer "streamer.assets" do |app|
      next unless app.config.respond_to?(:assets) && app.config.assets.precompile

      app.config.assets.precompile += %w[streamer.js streamer/stimulus.js streamer/passages.js streamer/broadcasts.js streamer/cable.js]
    end

    initializer "streamer.importmap", before: "importmap" do |app|
      next unless app.config.respond_to?(:importmap)

      app.config.importmap.paths << root.join("config/importmap.rb")
      app.config.importmap.cache_sweepers << root.join("app/assets/javascripts")
    end
  end
end
