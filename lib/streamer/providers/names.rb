# frozen_string_literal: true

module Streamer
  # The names that errors are going to have; without them, those that they have.
  InvalidJSONError = ExtractError unless const_defined?(:InvalidJSONError)
  EventTooLargeError = EventTooLarge unless const_defined?(:EventTooLargeError)
  BodyTooLargeError = BodyTooLarge unless const_defined?(:BodyTooLargeError)
end
