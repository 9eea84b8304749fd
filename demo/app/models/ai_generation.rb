# frozen_string_literal: true

# A question and its answer, which outlives the request that asked, the page that shows it and the worker that writes it.
class AiGeneration < ApplicationRecord
  include Streamer::Generation

  belongs_to :chat
  streams_in "AiStreamingJob"
  limit_in_progress 3

  # For pages that do not follow the log themselves.
  broadcasts_text over: %i[turbo cable]

  validates :prompt, presence: true
end
