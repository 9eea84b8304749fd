# frozen_string_literal: true

require "json"

# Event streams for tests: what the known APIs send, and what nobody should.
module Streams
  OPENAI = [
    { role: "assistant", content: "", refusal: nil }, { content: "Hel" }, { content: "lo, \"you\"\n" }, { content: "\u00FC\u{1F600}" }, {}
  ].map do |delta|
    chunk = { id: "chatcmpl-Bq3kT0vYx1", object: "chat.completion.chunk", created: 1_751_371_200, model: "gpt-4o-mini",
              choices: [{ index: 0, delta: delta, logprobs: nil, finish_reason: delta.empty? ? "stop" : nil }], usage: nil }
    "data: #{JSON.generate(chunk)}\n\n"
  end.join.concat("data: [DONE]\n\n").freeze

  ANTHROPIC = [
    { type: "message_start", message: { id: "msg_01", role: "assistant", content: [], usage: { input_tokens: 9 } } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "ping" },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "!" } },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 15 } },
    { type: "message_stop" }
  ].map { |event| "event: #{event[:type]}\ndata: #{JSON.generate(event)}\n\n" }.join.freeze

  GEMINI = %w[Hel lo].map do |text|
    "data: #{JSON.generate({ candidates: [{ content: { parts: [{ text: text }], role: "model" }, index: 0 }] })}\r\n\r\n"
  end.join.freeze

  PARTS = ["data", "data:", "data: ", "event:", "event: token", "id:", "id: 7", "id: \0", "retry: ", "retry: 12", ":", ": c", "x", "foo: ",
           "\n", "\n", "\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", " ", "\t", "\0", "a", "text", "{\"a\":1}", "é", "…", "😀",
           "\xEF\xBB\xBF", "\xFF", "\xE2\x82", "\xF0\x9F\x98", "\xED\xA0\x80", "\x80"].map(&:b).freeze
  private_constant :PARTS

  NAMES = [*["data"] * 6, "event", "event", "id", "id", "retry", "", "dat", " data", "data ", "Data", "data\0",
           "\uFEFFdata", "data\xFF"].map(&:b)
  SEPARATORS = [":", ": ", ": ", ":  ", ":\t", "::", ""].freeze
  VALUES = ["", "a", "token", "two words ", " ", ":", "7", "0012", "-1", "\0", "é", "\u{1F600}", "\uFEFF", "\u2028", "\u0085",
            "\v\f", "\xFF", "\xC0\xAF", "\xE2\x82", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x9F\x98", "\xF4\x90\x80\x80",
            "\x80"].map(&:b)
  ENDS = ["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\n\r", "\r\n\n"].freeze
  private_constant :NAMES, :SEPARATORS, :ENDS

  # Fields, line ends and bytes in any order.
  def self.noise(random)
    Array.new(random.rand(60)) { PARTS.sample(random: random) }.join
  end

  # Line by line, so that most streams have events: fields in any order, with any line ends, whole or not.
  def self.lines(random)
    pick = ->(pieces) { pieces.sample(random: random) }
    stream = Array.new(random.rand(1..30)) do
      [pick[NAMES], pick[SEPARATORS], *Array.new(random.rand(3)) { pick[VALUES] }, pick[ENDS]].join
    end.join
    stream.prepend("\xEF\xBB\xBF".b) if random.rand(4).zero?
    stream << "data: unfinished" if random.rand(4).zero?
    stream
  end
end
