# frozen_string_literal: true

require "streamer/faraday"

# The gems that applications ask an LLM with, on Faraday's default adapter or on ours: query[:adapter] is what changes.
# How many tokens and how fast goes along as the URL's query.
module LLMGems
  MODEL = "gpt-4o"
  MESSAGE = "Hello"

  # ruby_llm hands Faraday no options of TLS, and libcurl does not look at SSL_CERT_FILE.
  class TrustingAdapter < Streamer::Transports::FaradayAdapter
    def initialize(app = nil, options = {}, &block)
      super(app, { tls: { ca_file: ENV.fetch("SSL_CERT_FILE") } }.merge(options), &block)
    end
  end
  Faraday::Adapter.register_middleware(streamer_trusting: TrustingAdapter)

  ADAPTERS = { "net_http" => :net_http, "streamer" => :streamer_trusting }.freeze

  class << self
    def available?(gem) = Gem.loaded_specs.key?(gem)

    # Yields the texts.
    def ruby_openai(upstream, query)
      client = OpenAI::Client.new(access_token: "sk-1", uri_base: upstream) do |faraday|
        faraday.params = { n: query[:n], us: query[:us] }
        faraday.adapter ADAPTERS.fetch(query[:adapter])
      end
      stream = proc { |chunk| (text = chunk.dig("choices", 0, "delta", "content")) && yield(text) }
      client.chat(parameters: { model: MODEL, messages: [{ role: "user", content: MESSAGE }], stream: stream })
    end

    def ruby_llm(upstream, query)
      context = RubyLLM.context do |config|
        config.openai_api_key = "sk-1"
        config.openai_api_base = "#{upstream}/v1?n=#{query[:n]}&us=#{query[:us]}"
        config.faraday_adapter = ADAPTERS.fetch(query[:adapter])
      end
      chat = context.chat(model: MODEL, provider: :openai, protocol: :chat_completions, assume_model_exists: true)
      chat.ask(MESSAGE) { |chunk| yield chunk.content if chunk.content }
    end
  end

  require "ruby_llm" if available?("ruby_llm")
  # The official gem's file has the same name: ruby-openai is loaded by its path.
  require File.join(Gem.loaded_specs["ruby-openai"].full_gem_path, "lib/openai") if available?("ruby-openai")
end
