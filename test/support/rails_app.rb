# frozen_string_literal: true

require "logger"
require "tmpdir"
require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "streamer"
require "streamer/engine" # for a test in this process, where streamer was there before Rails
require "action_controller/test_case" if ENV.key?("TEST_CASE") # as gems do that take an application for its tests
require_relative "notes"
require_relative "rails_app/middleware"

# The application behind the tests of the servers and of the controller: the default middleware stack with
# Rack::Deflater in front, a database with two connections, and an action for every case. What happens behind a response
# goes into the notes, under the name that the request gave.
module RailsApp
  # For the database and the notes: the server's that runs this, or one of its own for a test in this process.
  DIRECTORY = ENV.fetch("DIRECTORY") do
    Dir.mktmpdir("streamer-app").tap { |path| Minitest.after_run { FileUtils.remove_entry(path) } }
  end
  NOTES = Notes.new(File.join(DIRECTORY, "notes"))

  def self.note(name, what, **details)
    NOTES.add(name, what, **details) if name
  end

  class Application < Rails::Application
    config.root = __dir__
    config.load_defaults Rails::VERSION::STRING.to_f
    config.eager_load = false
    config.enable_reloading = ENV.key?("RELOADING")
    config.consider_all_requests_local = false
    config.action_dispatch.show_exceptions = :all
    config.active_support.isolation_level = ENV.fetch("ISOLATION", "thread").to_sym
    config.secret_key_base = "only for tests" * 3
    config.hosts.clear
    config.logger = ActiveSupport::TaggedLogging.new(Logger.new(ENV.key?("DIRECTORY") ? $stdout : nil))
    config.log_level = :warn
    config.middleware.insert_before 0, Rack::Deflater
    config.paths["app/views"] = [File.join(__dir__, "rails_app/views")]
    config.i18n.available_locales = %i[en de]
    config.time_zone = "UTC"
    config.streamer.heartbeat = ENV.fetch("HEARTBEAT", "12").to_f
    config.streamer.drain_timeout = ENV.fetch("DRAIN", "25").to_f
    config.streamer.write_timeout = ENV.fetch("WRITE_TIMEOUT", "30").to_f
    config.middleware.use(Authentication)
    ENV.fetch("MIDDLEWARE", "").split(",").each { |name| config.middleware.use(RailsApp.const_get(name)) }
  end

  class Current < ActiveSupport::CurrentAttributes
    attribute :user, :note
  end

  # Every report, under the name of the request that it came from.
  class Reports
    def report(error, handled:, severity:, context:, source: nil)
      RailsApp.note(Current.note, "reported", error: error.class.name, handled: handled, severity: severity,
                                              source: source, context: context.slice(:request_id, :controller, :action))
    end
  end
end

ENV["DATABASE_URL"] = "sqlite3:#{RailsApp::DIRECTORY}/app.sqlite3?pool=2&timeout=2000"
RailsApp::Application.initialize!
Rails.error.subscribe(RailsApp::Reports.new)
ActiveSupport::Notifications.subscribe(/\.streamer\z/) do |name, _start, _finish, _id, payload|
  filtered = ActiveSupport::ParameterFilter.new(%i[passw email secret token _key crypt salt certificate otp ssn cvv cvc]).filter(payload)
  RailsApp.note(RailsApp::Current.note, name, **filtered)
end

module RailsApp
  class Widget < ActiveRecord::Base; end

  ActiveRecord::Schema.verbose = false
  ActiveRecord::Schema.define do
    create_table(:widgets, force: true) { |table| table.string :name }
  end
  Widget.create!(name: "one")
  ActiveRecord::Base.connection_handler.clear_active_connections!(:all)

  class ApplicationController < ActionController::Base
    include Streamer::Controller

    before_action { Current.note = params[:note] }

    private

    def note(what, **details) = RailsApp.note(params[:note], what, **details)
  end

  class PlainController < ApplicationController
    def up = head(:ok)
    def show = render(plain: "an ordinary page")
    def page = render(plain: "line\n" * 2000)

    # What a changed file leads to: waits until no other thread runs the application's code.
    def reload
      Timeout.timeout(3) { ActiveSupport::Dependencies.interlock.unloading { render(plain: "reloaded") } }
    rescue Timeout::Error
      render(plain: "blocked", status: 503)
    end

    def state
      render json: { threads: Thread.list.size, pool: Widget.connection_pool.stat, widgets: Widget.count, pid: Process.pid }
    end
  end

  class StreamsController < ApplicationController
    around_action :in_german, only: :context

    # Pages that answer like any other, in a controller that streams.
    def plain = render(plain: "an ordinary page")

    def events
      session[:seen] = true
      flash[:notice] = "hello"
      cookies[:plain] = "yes"
      stream_events(**options) do |events|
        Integer(params.fetch(:count, 3)).times do |index|
          events.write({ index: index, sent: Process.clock_gettime(Process::CLOCK_MONOTONIC) }, event: "step", id: index.to_s)
          sleep(params[:every].to_f) if params[:every]
        end
      end
    end

    # Nothing of the block before `wait` seconds have passed.
    def late
      stream_events(**options) do |events|
        sleep(params.fetch(:wait).to_f)
        events.write("late")
      end
    end

    # Quiet until the browser has left.
    def silent
      stream_events(**options) do |events|
        note "began"
        sleep 0.02 while events.connected?
        events.write("too late")
      ensure
        note "ended", error: $!&.class&.name
      end
    end

    def chatty
      stream_events(**options) do |events|
        note "began"
        loop do
          events.write("more")
          sleep 0.02
        end
      ensure
        note "ended", error: $!&.class&.name
      end
    end

    def flood
      stream_events(**options) do |events|
        line = "x" * 1000
        written = 0
        loop do
          events.write(line)
          written += 1
          note "written", count: written if (written % 500).zero?
        end
      end
    end

    def together
      stream_events do |events|
        Array.new(4) do |writer|
          Thread.new { 50.times { |index| events.write("#{writer}:#{index}:#{"." * 300}") } }
        end.each(&:join)
      end
    end

    # Writes what the browser would never see.
    def sealed
      stream_events do |events|
        events.write({ read: [session[:seen], cookies[:plain], flash[:notice]] })
        write = { "session" => -> { session[:seen] = 1 }, "cookies" => -> { cookies[:plain] = "x" },
                  "signed" => -> { cookies.signed[:plain] = "x" }, "delete" => -> { cookies.delete(:plain) },
                  "flash" => -> { flash[:notice] = "x" }, "reset" => -> { reset_session } }.fetch(params[:what])
        write.call
        events.write("not seen")
      end
    end

    def failed_before
      raise "before the stream"
      stream_events { |events| events.write("never") }
    end

    def failed_inside
      stream_events do |events|
        events.write("first")
        raise "a secret of the application"
      end
    end

    def failed_upstream
      stream_events { |_events| raise Streamer::IdleTimeoutError, "nothing for 60 s" }
    end

    def twice
      stream_events { |events| events.write("first") }
      stream_events { |events| events.write("second") }
    rescue AbstractController::DoubleRenderError
      note "refused"
    end

    def rendered
      stream_events { |events| events.write("first") }
      render plain: "a page"
    rescue AbstractController::DoubleRenderError
      note "refused"
    end

    def refused
      render plain: "a page"
      stream_events { |events| events.write("never") }
    rescue AbstractController::DoubleRenderError
      note "refused"
    end

    def context
      Current.user = params[:user]
      Time.use_zone("Europe/Berlin") { stream_context }
    end

    def database
      first = ActiveRecord::Base.lease_connection.select_value("select count(*) from widgets")
      stream_events do |events|
        events.write({ widgets: first })
        ActiveRecord::Base.lease_connection.select_value("select 1") if params[:inside]
        upstream = Streamer::Client.new(params[:upstream]).get("/") if params[:upstream]
        events.relay(upstream) if upstream
        sleep(params.fetch(:hold).to_f)
        events.write({ widgets: Widget.count })
      end
    end

    def transaction
      stream_events do |events|
        Widget.transaction do
          Widget.create!(name: "kept")
          events.relay(Streamer::Client.new(params[:upstream]).get("/"))
          raise ActiveRecord::Rollback
        end
        events.write({ kept: Widget.where(name: "kept").count })
      end
    end

    def relay
      stream_events(**options) do |events|
        response = Streamer::Client.new(params.fetch(:upstream)).get("/")
        events.relay(response, value: params[:value], event: params[:event])
        events.write("done", event: "done")
      ensure
        note "ended", error: $!&.class&.name
      end
    end

    def relayed
      upstream = Streamer::Client.new(params.fetch(:upstream)).request(:get, "/")
      relay_events(upstream, value: "choices.0.delta.content", event: "token", **options) do |result|
        note "result", status: result.status, text: result.text, error: result.error&.class&.name
      end
    end

    private

    def options
      { heartbeat: params[:heartbeat]&.to_f, status: params[:status]&.to_i }.compact
    end

    def in_german(&action) = I18n.with_locale(:de, &action)

    def stream_context
      thread = Thread.current
      stream_events do |events|
        sleep 0.05 # another request may pass meanwhile
        events.write({ user: Current.user, locale: I18n.locale, zone: Time.zone.name, action: action_name,
                       q: params[:user], same_thread: thread == Thread.current })
      end
    end
  end

  class RelaysController < ApplicationController
    CIRCUIT = Streamer::CircuitBreaker.new(error_threshold: 1, error_timeout: 60)
    private_constant :CIRCUIT

    def show
      Current.user = params[:user]
      texts = []
      relay = relay_events(upstream, **options, **batches(texts) { |text| relay.stop if text.include?(params.fetch(:until, "\0")) }) do |result|
        note "result", **outcome(result), texts: texts, user: Current.user, thread: Thread.current.name
        raise "a callback's own failure" if params[:raise]
      end
      relay.stop if params[:stop_at_once]
    end

    # Answers with two connections in the pool, and asks the database in the callback.
    def database
      Widget.count
      relay_events(upstream, **options) do
        note "counted", widgets: Widget.count
        Widget.lease_connection
      end
    end

    def stop = render(json: { stopped: Streamer.stop(params[:key]) })

    def state
      render json: { **Streamer.stats.slice(:streams, :upstreams), threads: Thread.list.size, fds: Dir.children("/proc/self/fd").size,
                     pool: Widget.connection_pool.stat, pid: Process.pid }
    end

    def refused
      authorize
      relay_events(upstream)
    rescue ArgumentError
      render plain: "no", status: 422
    end

    private

    def authorize = raise(ArgumentError)

    def upstream
      timeouts = JSON.parse(params.fetch(:timeouts, "{}"), symbolize_names: true)
      Streamer::Request.new("GET", params.fetch(:upstream), timeouts: timeouts, retries: params[:retries]&.to_i,
                                                            circuit: (CIRCUIT if params[:circuit]))
    end

    # The request's parameters by their own names; what is JSON there is JSON here.
    def options
      given = params.permit(:collect, :event, :key, :heartbeat, :frame, :id_prefix, :max_event, :max_line, :on_disconnect, :retry,
                            :value).to_h.symbolize_keys
      %i[frame on_disconnect].each { |name| given[name] &&= given[name].to_sym }
      given[:heartbeat] &&= given[:heartbeat].to_f
      %i[collect max_event max_line retry].each { |name| given[name] &&= given[name].to_i }
      { value: "choices.0.delta.content", event: "token" }.merge(given, *%i[keep flush terminal value done].map { |name| json(name) })
    end

    def json(name)
      value = params[name] && JSON.parse(params[name], symbolize_names: true)
      { name => value }.select { params[name] }
    rescue JSON::ParserError
      {}
    end

    def batches(texts)
      return {} unless params[:every]

      on_text = lambda do |text|
        texts << text
        sleep params[:linger].to_f if params[:linger] && texts.one?
        yield text
      end
      { every: params[:every].to_f, on_text: on_text }
    end

    def outcome(result)
      ours = result.error if result.error.is_a?(Streamer::Error)
      { status: result.status, reason: result.reason, text: result.text, cut: result.text_cut?, stop: result.stop,
        error: result.error&.class&.name, kept: result.kept, kept_truncated: result.kept_truncated, timings: result.timings, key: result.key,
        request_id: ours&.request_id, delivered: ours&.delivered, partial: ours&.text&.slice(0, 100) }
    end
  end

  class ApiController < ActionController::API
    include Streamer::Controller

    def events
      stream_events { |events| events.write({ step: 1 }, event: "step") }
    end
  end

  class LiveController < ApplicationController
    include ActionController::Live

    def flood
      stream_events do |events|
        note "began"
        loop { events.write("x" * 1000) }
      ensure
        note "ended", error: $!&.class&.name
      end
    end

    def sse
      response.headers["Content-Type"] = "text/event-stream"
      response.stream.write(": committed\n\n") if params[:late]
      sse = Streamer::SSE.new(response.stream, retry: 300, event: "token")
      Integer(params.fetch(:count, 3)).times do |index|
        sse.write({ index: index, sent: Process.clock_gettime(Process::CLOCK_MONOTONIC) }, id: index)
        sleep(params[:every].to_f)
      end
      sse.write("a\rb\r\nc\nd", event: "text")
    ensure
      sse&.close
    end

    def events
      stream_events(heartbeat: params[:heartbeat]&.to_f) do |events|
        note "began"
        sleep(params[:wait].to_f)
        Integer(params.fetch(:count, 3)).times { |index| events.write({ index: index }, event: "step") }
      ensure
        note "ended", error: $!&.class&.name
      end
    end

    def failed
      stream_events do |events|
        events.write("first")
        raise "a secret of the application"
      end
    end

    def relayed
      upstream = Streamer::Request.new("GET", params.fetch(:upstream))
      relay_events(upstream, value: "choices.0.delta.content", event: "token") do |result|
        note "result", status: result.status, text: result.text, reason: result.reason
      end
    end
  end

  require_relative "rails_app/formats"
  require_relative "rails_app/logs"

  Application.routes.draw do
    get "/up" => "rails_app/plain#up"
    post "/formats/posted" => "rails_app/formats#posted"
    { "plain" => PlainController, "streams" => StreamsController, "live" => LiveController,
      "api" => ApiController, "relays" => RelaysController, "formats" => FormatsController, "api_formats" => ApiFormatsController,
      "live_formats" => LiveFormatsController, "logs" => LogsController }.each do |path, controller|
      controller.action_methods.each { |name| get "/#{path}/#{name}" => "rails_app/#{path}##{name}" }
    end
  end
end
