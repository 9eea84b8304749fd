# frozen_string_literal: true

class AnswerJob < ActiveJob::Base
  include Streamer::Job

  CLIENT = Streamer::Client.new("#{MODEL.scheme}://#{MODEL.host}:#{MODEL.port}", timeouts: { first_event: 30, idle: 30 })

  def perform(answer)
    stream_into answer, CLIENT.request(:get, MODEL.request_uri), value: "choices.0.delta.content"
  end
end
