# frozen_string_literal: true

require "yaml"

# Variants of the providers' streams, from test/fixtures/providers/variants: for each a heading, a `stream` block with the body, and an
# `expected` block in YAML:
#
#   text, refusal: "" and nil by default. calls: [[id, name, arguments], ...]. indexes, json: of the calls, where they matter.
#   deltas: of all calls, where they are not the arguments cut in pieces.
#   finish_reason, usage, raw_usage: as the Completion has them.
#   error: { type:, message: } where an UpstreamError ends it; what is left out may be anything.
#   truncated: true where a TruncatedError does. delivered: whether the application got something before the error; true by default.
module ProviderVariants
  Variant = Struct.new(:provider, :name, :bytes, :expected, keyword_init: true)

  TYPES = { ollama: "application/x-ndjson", gemini_array: "application/json" }.freeze
  SECTION = /^\#\# (?<name>.+)\n\s*```stream\n(?<stream>(?:(?!^```).*\n)*)```\n\s*```expected\n(?<expected>(?:(?!^```).*\n)*)```$/
  KEYS = %i[text refusal calls indexes json deltas finish_reason usage raw_usage error truncated delivered].freeze

  def self.load(path)
    source = File.read(path)
    variants = source.to_enum(:scan, SECTION).map do
      match = Regexp.last_match
      expected = YAML.safe_load(match[:expected], symbolize_names: true)
      unknown = expected.keys - KEYS
      raise "#{path}: #{match[:name]}: what is #{unknown.first}?" if unknown.any?

      Variant.new(provider: File.basename(path, ".md").to_sym, name: match[:name], bytes: match[:stream].b, expected: expected)
    end
    headings = source.scan(/^## /).size
    raise "#{path}: #{headings} headings, #{variants.size} variants" unless variants.size == headings

    variants
  end

  # Read here, since async on Ruby 3.1 cannot read files.
  ALL = Dir[File.expand_path("../fixtures/providers/variants/*.md", __dir__)].sort.flat_map { |path| load(path) }.freeze

  # The media type of a provider's streams.
  def self.type(provider) = TYPES.fetch(provider, "text/event-stream")
end
