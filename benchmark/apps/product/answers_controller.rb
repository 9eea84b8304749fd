# frozen_string_literal: true

class AnswersController < ActionController::Base
  include Streamer::Controller

  skip_forgery_protection

  def create
    redirect_to answer_path(Answer.start!(prompt: params.require(:prompt)))
  end

  def show
    text, position = Answer.find(params[:id]).log.snapshot
    render html: "<!doctype html><title>Answer</title><p data-cursor=\"#{position}\">#{ERB::Util.h(text)}</p>".html_safe
  end

  def events = follow_events(Answer.find(params[:id]))
end
