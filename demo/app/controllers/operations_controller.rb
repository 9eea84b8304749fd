# frozen_string_literal: true

# A long operation that reports its progress. Each event has an id; when the connection is lost, the browser comes back
# by itself with the last id it saw, and the action goes on from there.
class OperationsController < ApplicationController
  include Streamer::Controller

  layout "instruments"

  def new; end

  def show
    import = Import.new(pace: params.fetch(:pace, 3).to_f)
    seen = request.headers["Last-Event-ID"].to_i
    last = params[:lose] && seen.zero? ? 8 : import.total

    stream_events do |events|
      import.run(from: seen, to: last) do |done, step|
        events.write({ done:, total: import.total, step: },
                     event: "progress", id: done.to_s, retry: 1500)
      end
      # A stream that ends without "done" is, to the browser, a lost connection.
      events.write({ done: last }, event: "done") if last == import.total
    end
  end
end
