# frozen_string_literal: true

# For applications and gems on Faraday: registers the adapter :streamer.
#
#   require "streamer/faraday"
#   Faraday.default_adapter = :streamer
require "faraday"
require "streamer"
require "streamer/transports/faraday_adapter"

Faraday::Adapter.register_middleware(streamer: Streamer::Transports::FaradayAdapter)
