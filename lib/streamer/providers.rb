# frozen_string_literal: true

require "streamer/providers/provider"

module Streamer
  # Language models that stream, each a declaration of where it is asked and what is where in its answer.
  #
  #   openai = Streamer::Providers[:openai].new(api_key: ENV["OPENAI_API_KEY"])
  #   openai.chat(model: "gpt-4.1-mini", messages: [{ role: "user", content: "Why?" }]).each_text { |text| print text }
  #
  # What is compatible with one of them needs another base_url and no more:
  #
  #   Streamer::Providers.register :groq, like: :openai, base_url: "https://api.groq.com/openai/v1"
  module Providers
    @registered = {}
    @lock = Mutex.new

    class << self
      # The class of that name, a Symbol or String; ArgumentError where there is none.
      def [](name)
        @lock.synchronize { @registered[name.to_sym] } ||
          raise(ArgumentError, "no provider #{name.inspect} is registered; known are #{names.join(", ")}")
      end

      # The names of all that are registered: Symbols.
      def names = @lock.synchronize { @registered.keys }

      # Makes a provider known: a class of one's own, or the declaration of one, over that of another (like: its name). For its parts see
      # Provider.declare. Returns the class.
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
require "streamer/providers/mistral"
require "streamer/providers/ollama"
