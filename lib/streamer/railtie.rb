# frozen_string_literal: true

require "rails/railtie"

module Streamer
  # In a Rails application:
  #
  #   config.streamer.heartbeat = 15     # seconds of silence after which a stream writes a comment; nil or 0 for none
  #   config.streamer.write_timeout = 30 # seconds in which a browser may take nothing before it counts as gone
  #   config.streamer.drain_timeout = 25 # seconds that relays have to finish in when the process is told to end; on Falcon 0.8
  class Railtie < ::Rails::Railtie
    config.streamer = ActiveSupport::OrderedOptions.new

    initializer "streamer.configuration" do |app|
      options = app.config.streamer
      Controller.heartbeat = options.heartbeat if options.key?(:heartbeat)
      Controller.write_timeout = options.write_timeout if options.key?(:write_timeout)
      Streamer.drain_timeout = options.drain_timeout if options.key?(:drain_timeout)
    end

    initializer "streamer.executor" do |app|
      Relay::Dispatcher.executor = app.executor
    end
  end
end
