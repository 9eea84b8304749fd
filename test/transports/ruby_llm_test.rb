# frozen_string_literal: true

require "test_helper"
require "streamer/faraday"
require "support/contexts"
require "support/installed_gem"
require "support/provider_transcripts"

if InstalledGem.load("ruby_llm", "ruby_llm", "it wants Ruby 3.1.3 or newer, and the oldest leg's is Debian 12's 3.1.2")
  # ruby_llm as it is, on the adapter.
  module RubyLLMTests
    TEXT = "Grüße aus Paris 🥐: it is sunny."

    def setup
      @upstream = upstream
      @context = RubyLLM.context do |config|
        config.openai_api_key = "sk-1"
        config.openai_api_base = "#{@upstream.url}/v1"
        config.anthropic_api_key = "sk-2"
        config.anthropic_api_base = @upstream.url
        config.faraday_adapter = :streamer
        config.request_timeout = 20
        config.max_retries = 1
        config.retry_interval = 0.01
        config.logger = Logger.new(nil)
      end
    end

    def test_openai
      @upstream.on(openai_path) { |exchange| ProviderTranscripts.play(exchange, openai_transcript, split: 50) }
      seen = +""
      message = chat.ask("Weather?") { |chunk| seen << chunk.content.to_s }
      assert_equal [TEXT, TEXT], [seen, message.content]
    end

    def test_anthropic
      @upstream.on("/v1/messages") { |exchange| ProviderTranscripts.play(exchange, "anthropic_text", split: 50) }
      seen = +""
      chat("claude-sonnet-4-5", :anthropic).ask("Weather?") { |chunk| seen << chunk.content.to_s }
      assert_equal TEXT, seen
    end

    def test_an_error_is_tried_again_and_told
      @upstream.on(openai_path) { |exchange| exchange.json({ error: { message: "slow down" } }, status: 429) }
      error = assert_raises(RubyLLM::RateLimitError) { chat.ask("Weather?") { flunk } }
      assert_match(/slow down/, error.message)
      assert_equal 2, @upstream.requests.size
    end

    def test_a_timeout
      @context.config.request_timeout = 0.5
      @upstream.on(openai_path) { |exchange| exchange.head.stall }
      assert_raises(Faraday::TimeoutError) { chat.ask("Weather?") { flunk } }
    end

    # ruby_llm#607: there is no way to stop.
    def test_leaving_ends_the_upstream
      @upstream.on(openai_path) { |exchange| exchange.head.chunk(ProviderTranscripts.bytes(openai_transcript).byteslice(0..-400)).stall }
      chat.ask("Weather?") { |chunk| break if chunk.content.to_s != "" }
      assert @upstream.requests.last.wait_gone, "the upstream never saw the client leave"
    end

    private

    # Which of OpenAI's APIs it asks, it decides itself.
    def openai_path = responses? ? "/v1/responses" : "/v1/chat/completions"
    def openai_transcript = responses? ? "openai_responses_text" : "openai_text"
    def responses? = defined?(RubyLLM::Protocols::Responses)

    def chat(model = "gpt-4.1-mini", provider = :openai)
      @context.chat(model: model, provider: provider, assume_model_exists: true)
    end
  end

  class RubyLLMOnThreadsTest < Minitest::Test
    include Contexts::Threads
    include RubyLLMTests
  end

  class RubyLLMInASchedulerTest < Minitest::Test
    include Contexts::Scheduled
    include RubyLLMTests
  end

  class RubyLLMInAsyncTest < Minitest::Test
    include Contexts::InAsync
    include RubyLLMTests
  end
end
