# frozen_string_literal: true

class FiguresController < ActionController::Base
  # Seconds that answers have waited for the worker, without the first, which it was warmed up with; and what became of all of them.
  def show
    waits = Answer.where.not(started_at: nil).order(:id).offset(1).pluck(:created_at, :started_at).map { |created, started| started - created }
    render json: { waits_s: waits, states: Answer.group(:status).count, requests: Streamer::Generation::UpstreamRequest.count }
  end
end
