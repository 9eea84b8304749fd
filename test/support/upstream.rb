# frozen_string_literal: true

require "streamer/testing"

# The kit that applications get is what our own tests use.
Upstream = Streamer::Testing::Upstream
Certificates = Streamer::Testing::Certificates

# For tests that need one for a moment.
module WithUpstream
  private

  # Yields an upstream that runs the script for each request.
  def with_upstream(script)
    upstream = Upstream.new(&script)
    yield upstream
  ensure
    upstream&.stop
  end
end
