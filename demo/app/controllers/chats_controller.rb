# frozen_string_literal: true

# The pages of the chat: what was said so far, and where the rest comes from.
class ChatsController < ApplicationController
  # How words come to the page, and what one calls it.
  WAYS = { "sse" => "an event stream", "turbo" => "Turbo Streams on Action Cable", "cable" => "a channel of Action Cable" }.freeze

  layout "application"
  before_action :choose_way

  def new
    @chat = Chat.new_with_key
    render :show
  end

  def show
    @chat = Chat.find_by!(key: params[:id])
  end

  private

  # Kept for the pages that follow.
  def choose_way
    cookies[:via] = params[:via] if WAYS.key?(params[:via])
    @via = WAYS.key?(cookies[:via]) ? cookies[:via] : WAYS.keys.first
  end
end
