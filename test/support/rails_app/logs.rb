# frozen_string_literal: true

module RailsApp
  Streamer::Log.store = Streamer::Stores::Memory.new

  # Logs that are written and followed in the server's own process.
  class LogsController < ApplicationController
    rescue_from(KeyError) { head(:forbidden) }

    # ?key=: the log of a user who may read it: ?as= whom it belongs to.
    def follow
      note "authorized"
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

    def create = render(json: { key: Streamer::Log.create(*params[:key]).key })

    # ?tokens=: how many; ?close=: the state, none for a log that stays open; ?mode=: of a later attempt; ?event=: of an entry without text.
    def write
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
