# frozen_string_literal: true

module Streamer
  # What the module streamer/cable subscribes to: a generation's broadcasts, for whoever was shown a page with its signed name. Models whose
  # text comes this way say `broadcasts_text over: :cable`.
  class GenerationChannel < ::ActionCable::Channel::Base
    def subscribed # :nodoc:
      stream = Generation::Broadcasts::Cable.verified_stream(params[:signed_stream_name])
      stream ? stream_from(stream) : reject
    end
  end
end
