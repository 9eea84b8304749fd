# frozen_string_literal: true

require "test_helper"
require "streamer/faraday"
require "support/contexts"
require "support/installed_gem"
require "support/provider_transcripts"

Faraday.default_adapter = :streamer
InstalledGem.load("ruby-openai", "openai")
InstalledGem.load("langchainrb", "langchain")
Langchain.logger.level = Logger::FATAL
# Loaded here, since async on Ruby 3.1 cannot read files.
[Langchain::LLM::OllamaResponse, Langchain::LLM::OpenAIResponse, Langchain::LLM::Parameters::Chat, Langchain::LLM::UnifiedParameters]
[Langchain::LLM::Ollama.new, Langchain::LLM::OpenAI.new(api_key: "k")]

# langchainrb as it is, on the adapter: its Ollama asks through Faraday, its OpenAI through ruby-openai.
module LangchainTests
  MESSAGES = [{ role: "user", content: "Weather?" }].freeze
  TEXT = "Grüße aus Paris 🥐: it is sunny."

  def setup
    @upstream = upstream
  end

  # langchainrb#686, #995 and #1019: a line that a chunk cuts is a parse error.
  def test_ollama_with_lines_that_are_cut
    [nil, 1, 13, 700].each do |split|
      @upstream.on("/api/chat") { |exchange| ProviderTranscripts.play(exchange, "ollama_text", split: split) }
      seen = +""
      answer = Langchain::LLM::Ollama.new(url: @upstream.url).chat(messages: MESSAGES) { |piece| seen << piece.chat_completion.to_s }
      assert_equal [TEXT, TEXT], [seen, answer.chat_completion]
      assert_equal 25, answer.total_tokens
    end
  end

  def test_ollama_refuses
    @upstream.on("/api/chat") { |exchange| exchange.json({ error: "model not found" }, status: 404) }
    error = assert_raises(Faraday::ResourceNotFound) { Langchain::LLM::Ollama.new(url: @upstream.url).chat(messages: MESSAGES) }
    assert_match(/model not found/, error.response[:body].to_s)
  end

  def test_openai
    @upstream.on("/v1/chat/completions") { |exchange| ProviderTranscripts.play(exchange, "openai_text", split: 50) }
    seen = +""
    answer = openai.chat(messages: MESSAGES) { |piece| seen << piece.dig("delta", "content").to_s }
    assert_equal [TEXT, TEXT], [seen, answer.chat_completion]
  end

  def test_openai_tools
    @upstream.on("/v1/chat/completions") { |exchange| ProviderTranscripts.play(exchange, "openai_tools", split: 50) }
    answer = openai.chat(messages: MESSAGES) { |piece| piece }
    assert_equal %w[get_weather get_time], answer.tool_calls.map { |call| call.dig("function", "name") }
  end

  private

  def openai = Langchain::LLM::OpenAI.new(api_key: "sk-1", llm_options: { uri_base: @upstream.url })
end

class LangchainOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include LangchainTests
end

class LangchainInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include LangchainTests
end

class LangchainInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include LangchainTests
end
