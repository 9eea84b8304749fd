# frozen_string_literal: true

# An answer of a language model, token by token. The tokens never become Ruby objects: `relay` cuts them out of the
# upstream's events and writes them to the browser, and this action only says which upstream, which part, which name.
class AnswersController < ApplicationController
  include Streamer::Controller

  layout "instruments"

  def new
    @providers = Provider::ALL
    @pace = Rails.configuration.x.pace
  end

  def show
    provider = Provider.find(params[:provider])

    stream_events do |events|
      answer = UPSTREAM.post(provider.path, headers: playback,
                                            json: provider.body(params[:question]))
      events.relay answer, value: provider.value, event: "token"
      events.write({ from: provider.name }, event: "done")
    end
  end

  private

  # How the recording is to be played; a real API has no such headers.
  def playback = { "Pace" => params[:pace], "Trouble" => params[:trouble].presence }.compact
end
