# frozen_string_literal: true

# An application with turbo-rails, whose pages follow a stream with Turbo's own element. What begins and ends is noted.
require "logger"
require "rails"
require "action_controller/railtie"
require "action_view/railtie"
require "turbo-rails"
require "streamer"
require_relative "notes"

module TurboApp
  NOTES = Notes.new(File.join(ENV.fetch("DIRECTORY"), "notes"))

  class Application < Rails::Application
    config.root = __dir__
    config.paths["app/views"] = [File.join(__dir__, "turbo_app/views")]
    config.action_view.prefix_partial_path_with_controller_namespace = false
    config.load_defaults Rails::VERSION::STRING.to_f
    config.eager_load = false
    config.active_support.isolation_level = ENV.fetch("ISOLATION").to_sym
    config.logger = Logger.new($stdout, level: :warn)
    config.secret_key_base = "only for tests"
    config.hosts.clear
  end

  # What is shown and streamed.
  Message = Struct.new(:id, :text) do
    def to_key = [id]
    def to_partial_path = "messages/message"
    def model_name = ActiveModel::Name.new(Message, nil, "Message")
  end

  class PagesController < ActionController::Base
    layout "application"

    def up = head(:ok)

    # The first `shown` messages, and a source for the others.
    def show
      @messages = Array.new(params[:shown].to_i) { |index| Message.new(index + 1, "message #{index + 1}") }
      @stream = "/streams/#{params[:id]}?#{request.query_parameters.except(:shown).to_query}"
    end
  end

  class StreamsController < ActionController::Base
    include Streamer::Controller

    # Messages behind the last that the browser has, `count` in all. cut: the response ends behind the one of this number, once. hold: the
    # stream stays open until the browser leaves; otherwise the source is removed.
    def show
      seen = last_event_id.to_i
      stream_events(heartbeat: 0.05) do |events| # which never runs where the browser has left again
        note "began", seen: seen, header: request.headers["Last-Event-ID"]
        events.write(nil, retry: 10)
        (seen + 1).upto(params.fetch(:count, 0).to_i) do |number|
          events.turbo_stream(id: number).append("messages", Message.new(number, "message #{number}"))
          break if number == params[:cut].to_i && seen < number
        end
        finish(events)
      ensure
        note "ended"
      end
    end

    # Each action in turn.
    def actions
      stream_events do |events|
        stream = events.turbo_stream
        stream.append("messages", partial: "messages/message", locals: { message: Message.new(1, "<i>one</i>\r\n\nevent: x") })
              .prepend("messages", "<li id=\"zero\">zero</li>").before("messages", "<p id=\"before\">before</p>")
              .after("messages", "<p id=\"after\">after</p>").update("after", "updated").replace("before", "<p id=\"replaced\">replaced</p>")
        events.turbo_stream.update_all("p", "all").append("messages") { "<li id=\"block\">of a block</li>".html_safe }
        events.turbo_stream.remove("zero").highlight("block")
        events.turbo_stream.remove("source")
      end
    end

    def formats
      respond_to do |format|
        format.html { render html: "a page" }
        format.turbo_stream { render turbo_stream: turbo_stream.remove("messages") }
        format.event_stream { |events| events.turbo_stream.remove("messages") }
      end
    end

    def wrong
      stream_events { |events| events.turbo_stream(event: "named").remove("messages") }
    end

    def unknown
      stream_events { |events| events.turbo_stream.explode("messages") }
    end

    def over
      note "began"
      head :no_content
    end

    private

    def finish(events)
      return if params[:cut]
      return events.turbo_stream.remove("source") unless params[:hold]

      sleep 0.02 while events.connected?
    end

    def note(what, **details) = NOTES.add(params[:id], what, **details)
  end

  ActiveSupport.on_load(:turbo_streams_tag_builder) do
    def highlight(target) = action(:highlight, target, allow_inferred_rendering: false)
  end

  Application.initialize!
  Application.routes.draw do
    get "/up" => "turbo_app/pages#up"
    mount Rack::Files.new(Turbo::Engine.root.join("app/assets/javascripts")) => "/assets"
    get "/pages/:id" => "turbo_app/pages#show"
    %w[actions formats wrong unknown over].each { |name| get "/streams/#{name}" => "turbo_app/streams##{name}", defaults: { id: name } }
    get "/streams/:id" => "turbo_app/streams#show"
  end
end

run TurboApp::Application
