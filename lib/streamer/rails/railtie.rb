# frozen_string_literal: true

require "rails/railtie"

module Streamer
  # In a Rails application:
  #
  #   config.streamer.heartbeat = 15   # seconds of silence after which a stream writes a comment; nil or 0 for none
  class Railtie < ::Rails::Railtie
    config.streamer = ActiveSupport::OrderedOptions.new

    initializer "streamer.heartbeat" do |app|
      options = app.config.streamer
      Controller.heartbeat = options.heartbeat if options.key?(:heartbeat)
    end
  end
end
