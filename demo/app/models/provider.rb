# frozen_string_literal: true

# What differs between three LLM services: where to ask, how to put the question, and where in each event the text is.
class Provider
  attr_reader :id, :name, :path, :value

  def initialize(id:, name:, path:, value:, &body)
    @id, @name, @path, @value, @body = id, name, path, value, body
  end

  def body(question) = @body.call(question)

  ALL = [
    new(id: "openai", name: "OpenAI", path: "/v1/chat/completions", value: "choices.0.delta.content") do |question|
      { model: "gpt-4.1-mini", stream: true, messages: [{ role: "user", content: question }] }
    end,
    new(id: "anthropic", name: "Anthropic", path: "/v1/messages", value: "delta.text") do |question|
      { model: "claude-sonnet-4-5", stream: true, max_tokens: 1024, messages: [{ role: "user", content: question }] }
    end,
    new(id: "gemini", name: "Gemini", path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        value: "candidates.0.content.parts.0.text") do |question|
      { contents: [{ role: "user", parts: [{ text: question }] }] }
    end
  ].freeze

  def self.find(id) = ALL.find { |provider| provider.id == id } || ALL.first
end
