# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "support/installed_gem"
require "support/provider_transcripts"

if InstalledGem.load("openai", "streamer/openai", "it wants Ruby 3.3 or newer")
  # OpenAI's own gem as it is, on the transport.
  module OpenAITests
    TEXT = "Grüße aus Paris 🥐: it is sunny."
    BEGINNING = ProviderTranscripts.bytes("openai_text").byteslice(0, 900)

    def setup
      @upstream = upstream
      @upstream.on("/v1/chat/completions") { |exchange| ProviderTranscripts.play(exchange, "openai_text", split: 50) }
      @upstream.on("/v1/responses") { |exchange| ProviderTranscripts.play(exchange, "openai_responses_text", split: 50) }
    end

    def test_streaming_chat_completions
      text = chat.filter_map { |chunk| chunk.choices.first&.delta&.content }.join
      assert_equal TEXT, text
      assert_equal "Bearer sk-1", @upstream.requests.last.headers["authorization"]
    end

    def test_streaming_responses
      text = +""
      stream = client.responses.stream(model: "m", input: "Weather?")
      stream.each { |event| text << event.delta if event.type == :"response.output_text.delta" }
      assert_equal TEXT, text
    end

    def test_without_a_stream
      answer = { id: "x", choices: [{ index: 0, message: { role: "assistant", content: "Hi" } }] }
      @upstream.on("/v1/chat/completions") { |exchange| exchange.json(answer) }
      assert_equal "Hi", client.chat.completions.create(model: "m", messages: []).choices.first.message.content
    end

    def test_breaking_ends_the_upstream
      @upstream.on("/v1/chat/completions") { |exchange| exchange.openai(tokens: 100_000, every: 0.01) }
      chat.each { break }
      assert @upstream.requests.last.wait_gone, "the upstream never saw the client leave"
    end

    def test_raising_ends_the_upstream_and_passes
      @upstream.on("/v1/chat/completions") { |exchange| exchange.openai(tokens: 100_000, every: 0.01) }
      mine = Streamer::BrowserDisconnectedError.new("the browser left")
      assert_same mine, assert_raises(Streamer::BrowserDisconnectedError) { chat.each { raise mine } }
      assert @upstream.requests.last.wait_gone, "the upstream never saw the client leave"
    end

    def test_closing_ends_the_upstream
      @upstream.on("/v1/chat/completions") { |exchange| exchange.head.chunk(BEGINNING).stall }
      stream = chat
      stream.close
      assert @upstream.requests.last.wait_gone, "the upstream never saw the client leave"
    end

    def test_an_error_is_tried_again_and_told
      @upstream.on("/v1/chat/completions") { |exchange| exchange.json({ error: { message: "slow down" } }, status: 429) }
      error = assert_raises(OpenAI::Errors::RateLimitError) { chat.each { flunk } }
      assert_equal [429, "slow down"], [error.status, error.body.dig(:error, :message) || error.body[:message]]
      assert_equal 2, @upstream.requests.size
    end

    def test_a_refused_connection_is_tried_again
      error = assert_raises(OpenAI::Errors::APIConnectionError) { chat(client(base_url: "#{Upstream.refused_url}/v1")).each { flunk } }
      assert_instance_of Streamer::ConnectError, error.cause
    end

    def test_the_clients_timeout
      @upstream.on("/v1/chat/completions") { |exchange| exchange.head.stall }
      assert_raises(OpenAI::Errors::APITimeoutError) { chat(client(timeout: 0.2)).each { flunk } }
      @upstream.on("/v1/chat/completions", &:stall)
      assert_raises(OpenAI::Errors::APITimeoutError) { chat(client(timeout: 0.2)).each { flunk } }
    end

    def test_an_idle_timeout
      @upstream.on("/v1/chat/completions") { |exchange| exchange.head.chunk(BEGINNING).stall }
      error = assert_raises(OpenAI::Errors::APITimeoutError) { chat(client(transport: { timeouts: { idle: 0.2 } })).to_a }
      assert_instance_of Streamer::IdleTimeoutError, error.cause
    end

    def test_a_cut
      @upstream.on("/v1/chat/completions") { |exchange| exchange.head.chunk(BEGINNING).close }
      assert_raises(OpenAI::Errors::APIConnectionError) { chat.to_a }
    end

    def test_uploads
      @upstream.on("/v1/files") do |exchange|
        size = exchange.request.body.bytesize
        exchange.json({ id: "file-1", object: "file", bytes: size, created_at: 1, filename: "x", purpose: "assistants" })
      end
      file = client.files.create(file: OpenAI::FilePart.new(StringIO.new("x" * 200_000), filename: "x"), purpose: :assistants)
      assert_operator file.bytes, :>, 200_000
      assert_includes @upstream.requests.last.body, "x" * 200_000
    end

    def test_many_at_once_on_one_client
      shared = client
      answers = Array.new(6) { beside { chat(shared).filter_map { |chunk| chunk.choices.first&.delta&.content }.join } }
      assert_equal [TEXT] * 6, answers.map(&:value)
    end

    def test_options_that_are_none_are_refused_at_once
      assert_raises(ArgumentError) { Streamer::Transports::OpenAI.new(timeouts: { read: 5 }) }
    end

    private

    def client(transport: {}, **options)
      OpenAI::Client.new(api_key: "sk-1", base_url: "#{@upstream.url}/v1", max_retries: 1, initial_retry_delay: 0.01, max_retry_delay: 0.01,
                         http_client: Streamer::Transports::OpenAI.new(**transport), **options)
    end

    def chat(client = self.client)
      client.chat.completions.stream_raw(model: "m", messages: [{ role: :user, content: "Weather?" }])
    end
  end

  class OpenAIOnThreadsTest < Minitest::Test
    include Contexts::Threads
    include OpenAITests
  end

  class OpenAIInASchedulerTest < Minitest::Test
    include Contexts::Scheduled
    include OpenAITests
  end

  class OpenAIInAsyncTest < Minitest::Test
    include Contexts::InAsync
    include OpenAITests
  end
end
