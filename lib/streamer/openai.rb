# frozen_string_literal: true

# For applications on OpenAI's own gem (openai, 0.78 or newer):
#
#   require "streamer/openai"
#   OpenAI::Client.new(http_client: Streamer::Transports::OpenAI.new)
require "openai"
require "streamer"

unless defined?(OpenAI::HTTPClient)
  raise LoadError, "streamer/openai goes with OpenAI's own gem, openai 0.78 or newer; what was loaded has no OpenAI::HTTPClient. " \
                   "ruby-openai goes with streamer/faraday"
end

require "streamer/transports/openai"
