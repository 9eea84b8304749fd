# frozen_string_literal: true

# The pages of the chat: what was said so far, and where the rest comes from.
class ChatsController < ApplicationController
  layout "application"

  def new
    @chat = Chat.new_with_key
    render :show
  end

  def show
    @chat = Chat.find_by!(key: params[:id])
  end
end
