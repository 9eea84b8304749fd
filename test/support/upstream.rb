# frozen_string_literal: true

require "streamer/testing"

# The kit that applications get is what our own tests use.
Upstream = Streamer::Testing::Upstream
Certificates = Streamer::Testing::Certificates
