# frozen_string_literal: true

require "test_helper"

ENV["RDOC_USE_PRISM_PARSER"] = "1" # as in the Rakefile
require "rdoc"
require "streamer/testing"
require "streamer/testing/http2_upstream"

# `rake docs` has every public class, and says something of each of its methods, whether Ruby or C defines it.
class ApiDocsTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)

  CLASSES = %w[
    Streamer Streamer::Client Streamer::Request Streamer::Response Streamer::Headers Streamer::Event Streamer::EventSource
    Streamer::Decoder Streamer::Decoder::Markers Streamer::Extractor Streamer::Encoder Streamer::Pipeline Streamer::BrowserSocket
    Streamer::RetryPolicy Streamer::CircuitBreaker Streamer::Relay::Options Streamer::Relay::Result Streamer::Relay::Handle
    Streamer::Controller Streamer::SSE Streamer::Sinks::Events Streamer::Providers Streamer::Providers::Provider
    Streamer::Providers::Chat Streamer::Providers::ToolCall Streamer::Testing Streamer::Testing::Assertions
    Streamer::Testing::Upstream Streamer::Testing::Upstream::Exchange Streamer::Testing::Upstream::Request
    Streamer::Testing::HTTP2Upstream Streamer::Testing::Clock Streamer::Testing::EventStream
    Streamer::Testing::EventStream::Received Streamer::Testing::NextStreamed Streamer::Testing::Integration Streamer::Testing::System
  ].freeze

  # Classes with methods in C, and those of them that are for the library's own use.
  NATIVE = {
    Streamer::Decoder => [], Streamer::Extractor => [], Streamer::Encoder => [], Streamer::Headers => [], Streamer::BrowserSocket => [],
    Streamer::Event => [], Streamer::Pipeline => %i[expect kept_value kept_too_large? take_added]
  }.freeze

  # Ruby's own contracts, which need no words here.
  KNOWN = %w[inspect to_s == hash eql?].freeze

  # Everything but the pages, as .rdoc_options says.
  def store
    @@store ||= Dir.chdir(ROOT) do
      rdoc = RDoc::RDoc.new
      arguments = ["--coverage-report", "--quiet", *Dir["lib/**/*.rb"], *Dir["ext/streamer/binding/*.c"]]
      _, warnings = capture_io { assert_raises(SystemExit) { rdoc.document(arguments) } }
      assert_empty warnings.lines.grep(/#{ROOT}|\A(?:lib|ext)/)
      rdoc.store
    end
  end

  def test_every_public_class_is_documented
    documented = store.all_classes_and_modules.select(&:documented?).map(&:full_name)
    assert_empty CLASSES - documented
  end

  def test_every_error_is_documented
    errors = Streamer.constants.map { |name| Streamer.const_get(name) }.grep(Class).select { |const| const <= Streamer::Error }
    assert_operator errors.size, :>, 20
    assert_empty errors.map(&:name) - store.all_classes_and_modules.select(&:documented?).map(&:full_name)
  end

  def test_nothing_that_is_shown_lacks_words
    bare = store.all_classes_and_modules.flat_map do |container|
      things = container.method_list.reject { |method| KNOWN.include?(method.name) } + container.attributes + container.constants
      things.select { |thing| thing.display? && !thing.documented? }.map { |thing| "#{container.full_name} #{thing.name}" }
    end
    assert_empty bare
  end

  def test_methods_defined_in_c_are_shown_with_their_arguments
    NATIVE.each do |const, internal|
      container = store.find_class_or_module(const.name)
      native = const.public_instance_methods(false).select { |name| const.instance_method(name).source_location.nil? } - internal
      native.each do |name|
        method = container.method_list.find { |documented| documented.name == name.to_s }
        refute_nil method, "#{const}##{name} is not in the documentation"
        assert_includes method.call_seq.to_s, "->", "#{const}##{name} has no call-seq with what it returns"
      end
    end
  end

  def test_what_is_inside_is_not_shown
    %w[Streamer::Transfer Streamer::Group Streamer::Upstream::URL Streamer::Relay::Registry].each do |name|
      container = store.find_class_or_module(name)
      assert(container.nil? || !container.display?, name)
    end
  end
end
