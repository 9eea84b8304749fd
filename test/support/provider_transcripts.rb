# frozen_string_literal: true

# What the providers send, from test/fixtures/providers: NAME_text (a stream of text), NAME_tools (two tool calls), NAME_error (a failure
# in mid-stream) and NAME_401 (a whole body). Variants of them are in support/provider_variants.
module ProviderTranscripts
  TYPES = { ".sse" => "text/event-stream", ".ndjson" => "application/x-ndjson", ".json" => "application/json; charset=UTF-8" }.freeze

  # name => [media type, bytes]; read here, since async on Ruby 3.1 cannot read files.
  ALL = Dir[File.expand_path("../fixtures/providers/*.*", __dir__)].to_h do |path|
    extension = File.extname(path)
    [File.basename(path, extension), [TYPES.fetch(extension), File.binread(path)]]
  end

  class << self
    # The bytes of a transcript.
    def bytes(name) = ALL.fetch(name).last

    # Its media type.
    def type(name) = ALL.fetch(name).first

    # Responds with it, cut into chunks of so many bytes.
    def play(exchange, name, split: nil)
      type, bytes = ALL.fetch(name)
      exchange.head(type: type)
      (split ? bytes.scan(/.{1,#{split}}/mn) : [bytes]).each { |piece| exchange.chunk(piece) }
      exchange.finish
    end
  end
end
