# frozen_string_literal: true

# An answer: asked for, followed, stopped. `create` answers at once, and the worker does the work.
class AiGenerationsController < ApplicationController
  include Streamer::Controller

  before_action :set_generation, only: %i[show events stop]

  def create
    chat = Chat.create_or_find_by!(key: params[:chat_id])
    chat.generations.start!(prompt: params.require(:prompt), trouble: params[:trouble].presence, idempotency_key: params[:key])
    redirect_to chat
  rescue Streamer::LimitReachedError => error
    redirect_to chat.generations.any? ? chat : root_path, alert: error.message
  end

  # One turn of the chat, as the page has it.
  def show
    @generation.settle
    render partial: "turn", locals: { ai_generation: @generation, via: "sse" }
  end

  # As often as somebody comes: what was said so far, and then what is said.
  def events
    follow_events @generation, retry: 1000
  end

  # Leaving the page stops nothing; this does.
  def stop
    @generation.stop!(attempt: params[:attempt]&.to_i)
    redirect_to @generation.chat, status: :see_other
  end

  private

  def set_generation
    @generation = AiGeneration.find(params[:id])
  end
end
