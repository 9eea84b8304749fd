# frozen_string_literal: true

# A log that never ends. The upstream speaks SSE already, so its events pass through as they are, ids included:
# a browser that comes back tells us the last one, and we tell the upstream.
class LogsController < ApplicationController
  include Streamer::Controller

  layout "instruments"

  def new; end

  def show
    seen = request.headers["Last-Event-ID"].to_s

    stream_events do |events|
      events.relay UPSTREAM.get("/logs?#{params.permit(:pace).to_query}",
                                headers: { "Last-Event-ID" => seen })
    end
  end
end
