# frozen_string_literal: true

class Answer < ActiveRecord::Base
  include Streamer::Generation

  streams_in "AnswerJob"
end
