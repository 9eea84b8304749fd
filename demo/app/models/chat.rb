# frozen_string_literal: true

# Questions that belong together, with their answers. Its key is in the form before anything is asked, so that a double click on the
# first question makes one chat.
class Chat < ApplicationRecord
  has_many :generations, -> { order(:id) }, class_name: "AiGeneration", dependent: :destroy

  # The newest first, each with what was asked at first.
  scope :history, -> { joins(:generations).includes(:generations).distinct.order(id: :desc).limit(30) }

  def self.new_with_key = new(key: SecureRandom.alphanumeric(16))

  def to_param = key

  def title = generations.first&.prompt
end
