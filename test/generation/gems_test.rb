# frozen_string_literal: true

require_relative "generation_case"
require "streamer/faraday"
require "streamer/testing"
require "support/installed_gem"
require "support/patience"
require "support/provider_transcripts"

InstalledGem.load("ruby-openai", "openai")

# Blocks of gems that ask models, as they are.
class GenerationGemsTest < GenerationCase
  include Patience

  def setup
    super
    @upstream = Streamer::Testing::Upstream.new { |exchange| answer(exchange) }
    @adapter_before = Faraday.default_adapter
    Faraday.default_adapter = :streamer
  end

  def teardown
    @upstream.stop
    Faraday.default_adapter = @adapter_before
    super
  end

  def test_ruby_openai_s_chunks_are_the_text_and_its_usage_is_what_the_block_says
    generation = work(start) do |out|
      ask do |chunk|
        out << chunk.dig("choices", 0, "delta", "content") # nil in the last one
        out.usage = chunk["usage"] if chunk["usage"]
      end
    end

    assert_equal(["completed", "t0 t1 t2 "], generation.slice(:status, :content).values)
    assert_equal({ "prompt_tokens" => 4, "completion_tokens" => 3 }, generation.usage)
    assert_equal(@upstream.requests.size, generation.upstream_requests.count)
  end

  def test_ruby_openai_s_errors_mean_what_they_say
    { 429 => ["processing", nil], 401 => ["failed", "The service refused the request."] }.each do |status, expected|
      @script = ->(exchange) { exchange.json({ error: { message: "no" } }, status: status) }
      generation = work(start) { |out| ask { |chunk| out << chunk } }

      assert_equal(expected, generation.slice(:status, :error_message).values)
    end
  end

  def test_ruby_openai_cut_off_keeps_the_text
    @script = ->(exchange) { exchange.head.chunk(Streamer::Testing::Upstream.token(0)).reset }
    generation = work(start) { |out| ask { |chunk| out << chunk.dig("choices", 0, "delta", "content") } }

    assert_equal(["failed", "t0 ", "The connection to the service was lost. Please try again."],
                 generation.slice(:status, :content, :error_message).values)
  end

  def test_ruby_openai_in_silence_is_stopped_and_its_connection_closed
    @script = ->(exchange) { exchange.head.chunk(Streamer::Testing::Upstream.token(0)).stall }
    generation = start
    Work.source = ->(out) { ask { |chunk| out << chunk.dig("choices", 0, "delta", "content") } }
    worker = Thread.new { Work.new(generation).perform_now }
    wait { generation.log.text == "t0 " }
    generation.stop!(attempt: 1)

    assert(worker.join(20))
    assert_equal(["cancelled", "t0 "], generation.reload.slice(:status, :content).values)
    assert(@upstream.requests.last.wait_gone, "the upstream never saw the worker leave")
  end

  if InstalledGem.load("ruby_llm", "ruby_llm", "it wants Ruby 3.1.3 or newer, and the oldest leg's is Debian 12's 3.1.2")
    def test_ruby_llm_s_chunks_are_the_text_and_its_message_says_the_usage
      transcript = defined?(RubyLLM::Protocols::Responses) ? "openai_responses_text" : "openai_text"
      @script = ->(exchange) { ProviderTranscripts.play(exchange, transcript, split: 50) }
      generation = work(start) { |out| ruby_llm.ask("Why?") { |chunk| out << chunk.content } }

      assert_equal(["completed", "Grüße aus Paris 🥐: it is sunny."], generation.slice(:status, :content).values)
      assert_equal(%w[input_tokens output_tokens], generation.usage.keys)
    end

    def test_ruby_llm_s_errors_mean_what_they_say
      @script = ->(exchange) { exchange.json({ error: { message: "slow down" } }, status: 429) }
      assert_equal("processing", work(start) { |out| ruby_llm.ask("Why?") { |chunk| out << chunk.content } }.status)
      @script = ->(exchange) { exchange.json({ error: { message: "no key" } }, status: 401) }
      assert_equal("The service refused the request.", work(start) { |out| ruby_llm.ask("Why?") { |chunk| out << chunk.content } }.error_message)
    end
  end

  private

  def answer(exchange)
    return @script.call(exchange) if @script

    usage = { choices: [], usage: { prompt_tokens: 4, completion_tokens: 3 } }
    exchange.stream([*Array.new(3) { |number| Streamer::Testing::Upstream.token(number) }, "data: #{usage.to_json}\n\n", "data: [DONE]\n\n"])
  end

  def ask(&block)
    client = OpenAI::Client.new(access_token: "sk-1", uri_base: @upstream.url)
    client.chat(parameters: { model: "m", messages: [{ role: "user", content: "Why?" }], stream: proc { |chunk| block.call(chunk) } })
  end

  def ruby_llm
    context = RubyLLM.context do |config|
      config.openai_api_key = "sk-1"
      config.openai_api_base = "#{@upstream.url}/v1"
      config.faraday_adapter = :streamer
      config.max_retries = 0
      config.logger = Logger.new(nil)
    end
    context.chat(model: "gpt-4.1-mini", provider: :openai, assume_model_exists: true)
  end
end
