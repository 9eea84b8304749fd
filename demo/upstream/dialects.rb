# frozen_string_literal: true

require "securerandom"

# How three LLM services put the same tokens on the wire. Each dialect knows where its request keeps the question,
# what it says when it refuses, and which events come before, for and after a token.
module Dialects
  class OpenAI
    def self.question(body) = body.fetch("messages").last.fetch("content")

    def self.refusal
      { error: { message: "Rate limit reached for requests. Please try again in 20s.", type: "requests",
                 param: nil, code: "rate_limit_exceeded" } }
    end

    def initialize(reply)
      @reply = reply
      @id = "chatcmpl-#{SecureRandom.alphanumeric(29)}"
      @created = Time.now.to_i
    end

    def start = chunk({ role: "assistant", content: "", refusal: nil })
    def token(text) = chunk({ content: text })

    def finish(_count)
      chunk({}, finish_reason: "stop")
      @reply.event("[DONE]")
    end

    private

    def chunk(delta, finish_reason: nil)
      @reply.event({ id: @id, object: "chat.completion.chunk", created: @created, model: "gpt-4.1-mini",
                     service_tier: "default", system_fingerprint: "fp_6f2eabb9a5",
                     choices: [{ index: 0, delta:, logprobs: nil, finish_reason: }], obfuscation: SecureRandom.alphanumeric(6) })
    end
  end

  class Anthropic
    def self.question(body) = body.fetch("messages").last.fetch("content")

    def self.refusal
      { type: "error", error: { type: "rate_limit_error", message: "This request would exceed your rate limit." } }
    end

    def initialize(reply)
      @reply = reply
    end

    def start
      event(:message_start, message: { id: "msg_#{SecureRandom.alphanumeric(24)}", type: "message", role: "assistant",
                                       model: "claude-sonnet-4-5", content: [], stop_reason: nil, stop_sequence: nil,
                                       usage: { input_tokens: 24, output_tokens: 1 } })
      event(:content_block_start, index: 0, content_block: { type: "text", text: "" })
      event(:ping)
    end

    def token(text) = event(:content_block_delta, index: 0, delta: { type: "text_delta", text: })

    def finish(count)
      event(:content_block_stop, index: 0)
      event(:message_delta, delta: { stop_reason: "end_turn", stop_sequence: nil }, usage: { output_tokens: count })
      event(:message_stop)
    end

    private

    def event(type, **data) = @reply.event({ type:, **data }, type:)
  end

  class Gemini
    # Gemini sends several tokens at a time.
    TOKENS_PER_CHUNK = 4

    def self.question(body) = body.fetch("contents").last.fetch("parts").first.fetch("text")

    def self.refusal
      { error: { code: 429, message: "Resource has been exhausted (e.g. check quota).", status: "RESOURCE_EXHAUSTED" } }
    end

    def initialize(reply)
      @reply = reply
      @pending = []
      @id = SecureRandom.urlsafe_base64(16)
    end

    def start; end

    def token(text)
      @pending << text
      flush if @pending.size == TOKENS_PER_CHUNK
    end

    def finish(count) = flush(finishReason: "STOP", usage: count)

    private

    def flush(usage: nil, **candidate)
      @reply.event({ candidates: [{ content: { parts: [{ text: @pending.join }], role: "model" }, **candidate, index: 0 }],
                     usageMetadata: { promptTokenCount: 12, candidatesTokenCount: usage }.compact,
                     modelVersion: "gemini-2.5-flash", responseId: @id })
      @pending.clear
    end
  end
end
