# frozen_string_literal: true

module Streamer
  # The version of the gem, a String (Semantic Versioning 2.0.0).
  VERSION = "0.1.0"
end
