# frozen_string_literal: true

module RailsApp
  Missing = Class.new(StandardError)

  # Actions that answer in several formats, or not at all.
  class FormatsController < ApplicationController
    rescue_from(Missing) { render plain: "no such answer", status: :not_found }

    def four
      respond_to do |format|
        format.html { render html: "a page" }
        format.json { render json: { state: "ready" } }
        format.event_stream { |events| events.write({ step: 1 }, event: "step", id: "1") }
        format.text { render plain: "a text" }
      end
    end

    def collected
      respond_to do |format|
        format.event_stream(json: true, heartbeat: nil) do |events|
          events.comment "not for JSON"
          events.write({ step: 1 }, event: "step", id: "1")
          cookies[:late] = "yes" if request.format.json?
          events.write("two\nlines")
        end
      end
    end

    def collected_relay
      respond_to do |format|
        format.event_stream(json: true) do
          upstream = Streamer::Request.new("GET", params.fetch(:upstream))
          relay_events(upstream, value: "choices.0.delta.content", event: "token") { |result| note "result", status: result.status }
        end
      end
    end

    def collected_failure
      respond_to do |format|
        format.event_stream(json: true) do |events|
          events.write("so far")
          raise "a secret of the application"
        end
      end
    end

    def options_astray
      respond_to { |format| format.event_stream(heartbeat: 1) { head :ok } }
    end

    def page_only
      respond_to { |format| format.html { render html: "a page" } }
    end

    def partial
      stream_events { |events| events.write(render_to_string(partial: "widgets/widget", locals: { name: "Ada" })) }
    end

    def page = render("widgets/refused", status: :not_found)
    def missing = raise(ActiveRecord::RecordNotFound, "a secret of the application")
    def rescued = raise(Missing)
    def unauthenticated = throw(:warden, scope: :user)
    def unauthorized = render(plain: "sign in first", status: :unauthorized)
    def forbidden = render(plain: "not yours", status: :forbidden)
    def redirected = redirect_to("/formats/four")
    def finished = head(:no_content)
    def token = render(plain: form_authenticity_token)
    def posted = stream_events { |events| events.write(params.fetch(:question, "none")) }

    # Around an action, as Rails' DatabaseSelector and log_tags are around all of them.
    def surroundings
      ActiveRecord::Base.connected_to(role: :reading, prevent_writes: true) do
        Rails.logger.tagged("request-7") do
          stream_events { |events| events.write(surroundings_now) }
        end
      end
    end

    def relayed_surroundings
      ActiveRecord::Base.connected_to(role: :reading, prevent_writes: true) do
        Rails.logger.tagged("request-7") do
          relay_events(Streamer::Request.new("GET", params.fetch(:upstream))) { note "result", **surroundings_now }
        end
      end
    end

    def surroundings_of_others = render(json: surroundings_now)

    def transaction
      Widget.transaction { stream_events { |events| events.write("never") } }
    end

    def relay_in_transaction
      Widget.transaction { relay_events(Streamer::Request.new("GET", "http://127.0.0.1:9/")) }
    end

    def seen = render(json: { seen: last_event_id })

    def beating
      stream_events(heartbeat: :event) { sleep(params.fetch(:wait, "0").to_f) }
    end

    private

    def surroundings_now
      { role: ActiveRecord::Base.current_role, writes: !ActiveRecord::Base.current_preventing_writes,
        tags: Rails.logger.formatter.current_tags }
    end
  end

  class ApiFormatsController < ActionController::API
    include Streamer::Controller
    include ActionController::MimeResponds

    def show
      respond_to do |format|
        format.json { render json: { state: "ready" } }
        format.event_stream { |events| events.write({ step: 1 }, event: "step") }
      end
    end

    def turbo
      stream_events { |events| events.turbo_stream.remove("x") }
    end
  end

  class LiveFormatsController < ApplicationController
    include ActionController::Live

    def show
      respond_to do |format|
        format.html { render html: "a page" }
        format.event_stream(json: true) { |events| events.write("one") }
      end
    end
  end
end
