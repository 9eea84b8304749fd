# frozen_string_literal: true

# What the providers send, from test/fixtures/providers: NAME_text (an answer of text), NAME_tools (two tool calls), NAME_error (a
# failure in mid-stream) and NAME_401 (a whole answer).
module ProviderTranscripts
  DIRECTORY = File.expand_path("../fixtures/providers", __dir__)
  TYPES = { ".sse" => "text/event-stream", ".ndjson" => "application/x-ndjson", ".json" => "application/json; charset=UTF-8" }.freeze

  class << self
    # The bytes of a transcript.
    def bytes(name) = File.binread(path(name))

    # Answers with it, cut into chunks of so many bytes.
    def play(exchange, name, split: nil)
      exchange.head(type: TYPES.fetch(File.extname(path(name))))
      pieces = split ? bytes(name).scan(/.{1,#{split}}/mn) : [bytes(name)]
      pieces.each { |piece| exchange.chunk(piece) }
      exchange.finish
    end

    private

    def path(name) = Dir["#{DIRECTORY}/#{name}.*"].first || raise(ArgumentError, "no transcript #{name}")
  end
end
