# frozen_string_literal: true

module Streamer
  VERSION = "0.1.0"
end
