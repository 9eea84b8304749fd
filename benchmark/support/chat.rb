# frozen_string_literal: true

require "json"

module Bench
  # An OpenAI chat completion as it comes over the wire: a role, `tokens` events with a piece of text each, a finish reason,
  # [DONE]. The same for every contender, cut as a socket would.
  class Chat
    READ = 16 * 1024
    PATH = "choices.0.delta.content"
    DONE = "[DONE]"

    # Text as models write it: words, and now and then what JSON must escape or UTF-8 spreads over several bytes.
    WORDS = [" the", " stream", " of", " tokens", " is", " on", " its", " way", ",", " and", ".", "\n\n", " \"quoted\"",
             " caf\u00e9", " \u65e5\u672c\u8a9e", " \u{1f600}", " C:\\dir", " a", " rather", " uncharacteristically"].freeze

    attr_reader :values, :bytes

    def initialize(tokens)
      @values = Array.new(tokens) { |index| WORDS[index * 7 % WORDS.size] }
      deltas = @values.map { |text| event("{\"content\":#{JSON.generate(text)}}") }
      @bytes = [event('{"role":"assistant","content":null}'), *deltas, event("{}", '"stop"'), "data: #{DONE}\n\n"].join.b
    end

    # Events with a JSON document as their data.
    def documents = @documents ||= @bytes.dup.force_encoding("UTF-8").scan(/^data: (\{.*)$/).flatten

    # The number of events, [DONE] included.
    def events = documents.size + 1

    # New Strings every time: whoever is handed one may keep it or make it shared.
    def reads(size = READ) = Chat.cut(@bytes, size)

    # Copies, not slices, which would share one buffer.
    def self.cut(bytes, size)
      (0...bytes.bytesize).step(size).map { |start| String.new(capacity: size) << bytes.byteslice(start, size) }
    end

    private

    def event(delta, finish_reason = "null")
      "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\"created\":1741570283," \
        "\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_fc9f1d7035\"," \
        "\"choices\":[{\"index\":0,\"delta\":#{delta},\"logprobs\":null,\"finish_reason\":#{finish_reason}}]," \
        "\"usage\":null}\n\n"
    end
  end
end
