# frozen_string_literal: true

require "streamer/providers/provider"

module Streamer
  # APIs of language models that stream, each a declaration of where it is and of what is where in its streams.
  #
  #   openai = Streamer::Providers[:openai].new(api_key: ENV["OPENAI_API_KEY"])
  #   openai.chat(model: "gpt-4.1-mini", messages: [{ role: "user", content: "Why?" }]).each_text { |text| print text }
  #
  # What is compatible with one of them needs only another base_url:
  #
  #   Streamer::Providers.register :groq, like: :openai, base_url: "https://api.groq.com/openai/v1"
  module Providers
    @registered = {}
    @lock = Mutex.new

    class << self
      # The class of that name, a Symbol or String. Raises ArgumentError if there is none.
      def [](name)
        @lock.synchronize { @registered[name.to_sym] } ||
          raise(ArgumentError, "no provider #{name.inspect} is registered; expected one of #{names.join(", ")}")
      end

      # The names of all that are registered: Symbols.
      def names = @lock.synchronize { @registered.keys }

      # Registers a provider: a class, or a declaration over that of another provider (like: its name). For its parts see Provider::PARTS.
      # Returns the class.
      def register(name, provider = nil, like: nil, **declaration)
        provider ||= Class.new(like ? self[like] : Provider)
        provider.declare(**declaration)
        @lock.synchronize { @registered[name.to_sym] = provider }
      end
    end
  end
end

require "streamer/providers/openai"
require "streamer/providers/openai_responses"
require "streamer/providers/anthropic"
require "streamer/providers/gemini"
require "streamer/providers/gemini_interactions"
require "streamer/providers/mistral"
require "streamer/providers/ollama"
require "streamer/providers/cohere"
