# frozen_string_literal: true

module Streamer
  module Upstream
    # Raised for what is not a URL, or not a URL for the purpose. The message does not repeat it: it may contain credentials.
    class InvalidURLError < ArgumentError; end # :nodoc:
  end
end
