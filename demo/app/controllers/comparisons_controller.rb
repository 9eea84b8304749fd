# frozen_string_literal: true

# Three slow services asked at once. Each answer goes to the browser when it is there; the whole takes as long as the
# slowest, not as long as all three.
class ComparisonsController < ApplicationController
  include Streamer::Controller

  layout "instruments"

  def new; end

  def show
    quotes = { air: quote(:air), rail: quote(:rail), sea: quote(:sea) } # not asked yet

    stream_events do |events|
      Streamer.merge(**quotes) do |name, quote|
        events.write({ name:, quote: quote.json }, event: "quote")
      end
      events.write({}, event: "done")
    end
  end

  private

  def quote(carrier)
    query = { delay: params[carrier], refuse: params[:refuse] }.to_query
    UPSTREAM.request(:get, "/quotes/#{carrier}?#{query}")
  end
end
