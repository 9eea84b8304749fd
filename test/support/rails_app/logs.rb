# frozen_string_literal: true

module RailsApp
  # LOG_DATABASE: the SQLite file that several servers share; otherwise logs are in the process's memory. With AWAY the store answers nobody
  # while the file of that name is there.
  class LogRecord < ActiveRecord::Base
    self.abstract_class = true
  end

  module Away
    %i[heads read].each do |name|
      define_method(name) do |*arguments, **options|
        raise Streamer::StoreUnavailableError, "away" if File.exist?(File.join(DIRECTORY, "away"))

        super(*arguments, **options)
      end
    end
  end

  Streamer::Log.store =
    if (database = ENV["LOG_DATABASE"])
      LogRecord.establish_connection(adapter: "sqlite3", database: database, timeout: 5000)
      Streamer::Stores::ActiveRecord.new(record: LogRecord)
    else
      Streamer::Stores::Memory.new.extend(Away)
    end

  # Logs that are written and followed here.
  class LogsController < ApplicationController
    rescue_from(KeyError) { head(:forbidden) }
    skip_after_action :verify_same_origin_request, only: :script, raise: false

    # ?key=: the log of a user who may read it: ?as= whom it belongs to.
    def follow
      note "authorized", last_event_id: request.headers["Last-Event-ID"]
      follow_events(*keys, **options)
    end

    def forbidden
      raise KeyError
      follow_events(*keys)
    end

    def listed
      respond_to do |format|
        format.html { render plain: "a page" }
        format.event_stream { follow_events(*keys) }
      end
    end

    # A page with the text so far, which follows when it is told to: start(). ?module=: with the JavaScript module; ?rotate=, ?retry=: of its
    # stream.
    def page
      text, position = log.snapshot
      source = helpers.streamer_source_url("/logs/follow?#{params.permit(:key, :note, :rotate, :retry).to_query}", last_event_id: position)
      render html: PAGE.result_with_hash(text: text, source: source, position: position.to_s, module: params[:module]).html_safe
    end

    def script = send_file(File.expand_path("../../../app/assets/javascripts/streamer.js", __dir__), type: "text/javascript", disposition: "inline")

    PAGE = ERB.new(<<~HTML)
      <!doctype html><meta charset="utf-8"><title>log</title><link rel="icon" href="data:,">
      <p id="text"><%= ERB::Util.h(text) %></p><p id="ids"></p><p id="state">open</p>
      <script type="module">
        const element = (id) => document.getElementById(id)
        const text = element("text")
        if (!text.firstChild) text.append("")
        const seen = (id) => element("ids").append(id + " ")
        const add = (data) => text.firstChild.appendData(data.content ?? "")
        const replace = (content) => { text.firstChild.data = content }
        <% if binding.local_variable_get(:module) %>
        const { EventStream } = await import("/logs/script")
        window.start = () => {
          const stream = new EventStream("<%= source.sub(/[?&]last_event_id=[^&]*/, "") %>", { events: ["token"], cursor: "<%= position %>" })
          stream.addEventListener("streamer:message", ({ detail }) => { seen(detail.id); add(JSON.parse(detail.data)) })
          stream.addEventListener("streamer:reset", () => replace(""))
          stream.addEventListener("streamer:gap", ({ detail }) => { seen("gap"); replace(detail.content) })
          stream.addEventListener("streamer:done", ({ detail }) => { element("state").textContent = detail.type ?? "204" })
          stream.open()
        }
        <% else %>
        window.start = () => {
          const source = new EventSource("<%= source %>")
          const on = (type, act) => source.addEventListener(type, (event) => act(JSON.parse(event.data), event.lastEventId))
          on("token", (data, id) => { seen(id); add(data) })
          on("attempt", (data) => data.mode === "reset" && replace(""))
          on("gap", (data) => { seen("gap"); replace(data.content) })
          for (const type of ["done", "failed", "cancelled"]) on(type, () => { element("state").textContent = type; source.close() })
          source.onerror = () => { if (source.readyState === EventSource.CLOSED) element("state").textContent = "204" }
        }
        <% end %>
        window.ready = true
      </script>
    HTML
    private_constant :PAGE

    def durable = durable_stream(params[:key])

    # ?upstream=: its answer goes into the log ?key=; ?through=events: by relay_events.
    def into
      Current.user = params[:user]
      log = Streamer::Log.create(params.fetch(:key))
      given = [Streamer::Request.new("GET", params.fetch(:upstream)), { value: "choices.0.delta.content", **options }]
      finished = ->(result) { note "result", status: result.status, reason: result.reason, text: result.text, user: Current.user }
      if params[:through]
        relay_events(given.first, log: log, **given.last, &finished)
      else
        relay_into(log, given.first, **given.last, &finished)
      end
    end

    # What relay_into does not take.
    def read_by_ruby
      relay_into(Streamer::Log.create, Streamer.get(params.fetch(:upstream)), value: "x")
    rescue ArgumentError => error
      render plain: error.message, status: 422
    end

    def create = render(json: { key: Streamer::Log.create(*params[:key]).key })

    # ?tokens=: how many; ?close=: the state, none for a log that stays open; ?mode=: of a later attempt; ?event=: of an entry without text.
    def write
      WRITERS.delete(log.key)&.release
      writer = log.claim(mode: params.fetch(:mode, "reset"))
      Integer(params.fetch(:tokens, 3)).times { |index| writer << "#{params.fetch(:word, "t")}#{index} " }
      writer.append({ url: "x" }, event: params[:event]) if params[:event]
      params[:close] ? writer.close(params[:close]) : writer.flush
      WRITERS[log.key] = writer
      render json: { position: writer.position.to_s }
    end

    # More of the attempt that is open.
    def append
      writer = WRITERS.fetch(log.key)
      Integer(params.fetch(:tokens, 1)).times { |index| writer << (params[:text] || "more#{index} ") }
      params[:close] ? writer.close(params[:close]) : writer.flush
      render json: { position: writer.position.to_s }
    end

    def prune
      log.send(:store).prune(log.key, through: log.head.position)
      render json: { pruned: log.head.pruned.to_s }
    end

    def stop
      render json: { state: log.stop.state }
    end

    def away
      params[:back] ? FileUtils.rm_f(File.join(DIRECTORY, "away")) : FileUtils.touch(File.join(DIRECTORY, "away"))
      head :no_content
    end

    def remove
      log.delete
      head :no_content
    end

    def state
      render json: { position: log.head.position.to_s, state: log.head.state, text: log.text }
    end

    def process_state
      render json: { **Streamer.stats, **Streamer::Log::Fanout.counters, threads: Thread.list.size, names: Thread.list.map(&:name),
                     fds: Dir.children("/proc/self/fd").size, pool: Widget.connection_pool.stat, pid: Process.pid }
    end

    WRITERS = {}

    private

    def keys = params[:key].to_s.split(" ")

    def log = Streamer::Log[params.fetch(:key)]

    def options
      { rotate: params[:rotate]&.to_f, heartbeat: params[:heartbeat]&.to_f, retry: params[:retry]&.to_i }.compact
    end
  end
end
