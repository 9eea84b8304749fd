# frozen_string_literal: true

class AiStreamingJob < ActiveJob::Base
  include Streamer::Job

  queue_as :streaming

  # An answer that broke off begins anew by itself. Where each costs money, :keep leaves that to the reader.
  retry_partial :restart

  def perform(generation)
    provider = Provider.find("openai")
    stream_into generation, UPSTREAM.request(:post, provider.path, json: provider.body(generation.prompt), headers: playback(generation)),
                value: provider.value
  end

  private

  # How the recording is to be played; a real API has no such headers. What breaks off does so once.
  def playback(generation)
    trouble = generation.trouble unless generation.trouble == "drop" && generation.upstream_requests.any?
    { "Pace" => Rails.configuration.x.chat_pace.to_s, "Trouble" => trouble }.compact
  end
end
