# frozen_string_literal: true

module Streamer
  module Upstream
    # Raised for what is no URL, or no URL for this purpose. The message has nothing of it, since it may hold credentials.
    class InvalidURLError < ArgumentError; end # :nodoc:
  end
end
