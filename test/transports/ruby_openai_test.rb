# frozen_string_literal: true

require "test_helper"
require "streamer/faraday"
require "support/contexts"
require "support/installed_gem"
require "support/provider_transcripts"

Faraday.default_adapter = :streamer
InstalledGem.load("ruby-openai", "openai")

# ruby-openai as it is, on the adapter.
module RubyOpenAITests
  def setup
    @upstream = upstream
    @upstream.on("/v1/chat/completions") { |exchange| ProviderTranscripts.play(exchange, "openai_text", split: 50) }
  end

  def test_streaming
    events = []
    chat { |event| events << event }
    assert_equal "Grüße aus Paris 🥐: it is sunny.", events.filter_map { |event| event.dig("choices", 0, "delta", "content") }.join
    assert_equal 25, events.last.dig("usage", "total_tokens")

    assert_equal "Bearer sk-1", @upstream.requests.last.headers["authorization"]
  end

  def test_without_a_stream
    @upstream.on("/v1/chat/completions") { |exchange| exchange.json({ choices: [{ message: { content: "Hi" } }] }) }
    assert_equal "Hi", client.chat(parameters: { model: "m", messages: [] }).dig("choices", 0, "message", "content")
  end

  # ruby-openai#479: of an error's body it shows the first chunk.
  def test_an_error_while_streaming_is_whole
    @upstream.on("/v1/chat/completions") do |exchange|
      exchange.head(status: 429, type: "application/json")
      %w[{ "error": {"message":"slow\ down"}}].each { |piece| exchange.chunk(piece).pause(0.02) }
      exchange.finish
    end
    error = assert_raises(Faraday::TooManyRequestsError) { chat { flunk } }
    assert_equal "slow down", error.response[:body].dig("error", "message")
  end

  # ruby-openai#265: a stream that is left goes on.
  def test_leaving_ends_the_upstream
    @upstream.on("/v1/chat/completions") { |exchange| exchange.openai(tokens: 100_000, every: 0.01) }
    assert_raises(Interrupt) { chat { raise Interrupt } }
    assert @upstream.requests.last.wait_gone, "the upstream never saw the client leave"
  end

  def test_a_timeout
    @upstream.on("/v1/chat/completions") { |exchange| exchange.head.stall }
    assert_raises(Faraday::TimeoutError) { chat(client(request_timeout: 0.2)) { flunk } }
  end

  def test_a_file
    @upstream.on("/v1/files", &:echo)
    file = StringIO.new("#{JSON.generate({ prompt: "x", completion: "y" })}\n" * 100)
    answer = client.files.upload(parameters: { file: file, purpose: "assistants" })
    assert_equal @upstream.requests.last.headers["content-length"].to_i, answer["bytes"]
    assert_operator answer["bytes"], :>, file.size
  end

  private

  def client(**options)
    OpenAI::Client.new(access_token: "sk-1", uri_base: @upstream.url, **options)
  end

  def chat(client = self.client, &block)
    client.chat(parameters: { model: "m", messages: [{ role: "user", content: "Weather?" }], stream: proc { |event| block.call(event) } })
  end
end

class RubyOpenAIOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include RubyOpenAITests
end

class RubyOpenAIInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include RubyOpenAITests
end

class RubyOpenAIInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include RubyOpenAITests
end
