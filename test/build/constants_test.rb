# frozen_string_literal: true

require "test_helper"

# lib/streamer/x_y/z.rb is Streamer::XY::Z: where something is, is what it is called.
class ConstantsTest < Minitest::Test
  LIB = File.expand_path("../../lib", __dir__)
  ACRONYMS = { "sse" => "SSE", "sqlite" => "SQLite", "postgresql" => "PostgreSQL", "mysql" => "MySQL", "last_event_id" => "LastEventID",
               "url" => "URL", "http2_upstream" => "HTTP2Upstream", "openai" => "OpenAI", "openai_responses" => "OpenAIResponses",
               "invalid_url_error" => "InvalidURLError", "version" => "VERSION" }.freeze
  # What is required for what it does, or holds the small classes of one subject.
  OTHERS = %w[streamer/errors streamer/faraday streamer/openai streamer/rspec streamer/testing/child streamer/transports/bodies
              streamer/transports/translating].freeze

  (Dir["#{LIB}/streamer/**/*.rb"].map { |path| path.delete_prefix("#{LIB}/").delete_suffix(".rb") } - OTHERS).each do |feature|
    define_method("test_#{feature.tr("/", "_")}_defines_its_constant") do
      names = feature.split("/").map { |part| ACRONYMS.fetch(part) { part.split("_").map(&:capitalize).join } }
      *outer, last = names
      source = File.read("#{LIB}/#{feature}.rb")
      assert_match(/^\s*(?:class|module) (?:\w+::)*#{last}\b|^\s*#{last} = /, source, "#{feature} does not define #{names.join("::")}")
      outer.each { |name| assert_match(/\b(?:class|module) (?:\w+::)*#{name}\b/, source, "#{feature} is not in #{name}") }
    end
  end
end
