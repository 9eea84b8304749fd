# frozen_string_literal: true

require "test_helper"
require "streamer/providers"
require "support/provider_variants"
require "support/upstream"

# Each documented variant of a provider's stream, read by a Completion and by a relay's Pipeline, which must agree.
class ProviderVariantsTest < Minitest::Test
  def setup
    @upstream = Upstream.new do |exchange|
      exchange.head(type: ProviderVariants.type(@variant.provider))
      exchange.chunk(@variant.bytes).finish
    end
  end

  def teardown = @upstream.stop

  ProviderVariants::ALL.each do |variant|
    define_method("test_#{variant.provider}: #{variant.name}") do
      @variant = variant
      assert_completion
      assert_text_alone
      assert_pipeline
    end
  end

  private

  def expected(part, default = nil) = @variant.expected.fetch(part, default)

  # In the order of each_delta.
  def assert_completion
    text = +""
    arguments = Hash.new { |hash, call| hash[call] = +"" }.compare_by_identity
    completion = chat.call
    error = failure_of do
      assert_same completion, (completion.each_delta do |piece, call|
        text << piece if piece
        arguments[call] << call.delta if call
      end)
    end
    assert_equal expected(:text, ""), text
    calls = completion.tool_calls
    assert_equal expected(:calls, []), calls.map { |call| [call.id, call.name, call.arguments] }
    assert_equal expected(:deltas, calls.map(&:arguments)), calls.map { |call| arguments.fetch(call) }, "the deltas are not the arguments"
    assert_equal expected(:indexes), calls.map(&:index) if expected(:indexes)
    assert_equal calls.size, calls.map(&:index).uniq.size
    assert_equal JSON.parse(JSON.generate(expected(:json))), calls.map(&:json) if expected(:json)
    assert_end(error, completion.finish_reason, completion.usage)
    assert_nil_or_equal expected(:refusal), completion.refusal
    assert_equal JSON.parse(JSON.generate(expected(:raw_usage))), completion.raw_usage if expected(:raw_usage)
    assert_equal expected(:delivered, true), error.delivered? if error
  end

  def assert_text_alone
    text = +""
    error = failure_of { chat.each_text { |piece| text << piece } }
    assert_equal expected(:text, ""), text
    assert_equal !text.empty?, error.delivered? if error
  end

  def assert_pipeline
    format = { ollama: :ndjson, gemini_array: :json }.fetch(@variant.provider, :sse)
    pipeline = Streamer::Pipeline.new(**chat.relay_options, format: format, collect: 10_000)
    error = failure_of do
      pipeline.feed(@variant.bytes)
      pipeline.finish
    end
    assert_equal expected(:text, ""), pipeline.text
    assert_end(error, pipeline.kept[:finish_reason], pipeline.kept.slice(:input_tokens, :output_tokens))
  end

  # How it ended, of both.
  def assert_end(error, finish_reason, usage)
    case error
    when nil
      assert_nil expected(:error)
      refute expected(:truncated), "a cut was not seen"
      assert_nil_or_equal expected(:finish_reason), finish_reason
      assert_equal expected(:usage, {}), usage
    when Streamer::TruncatedError
      assert expected(:truncated), error.message
      assert_nil finish_reason
    else
      assert_kind_of Streamer::UpstreamError, error
      wanted = expected(:error)
      refute_nil wanted, error.message
      assert_equal wanted[:type], error.type if wanted[:type]
      assert_includes error.message, wanted[:message] if wanted[:message]
    end
  end

  def assert_nil_or_equal(wanted, actual) = wanted.nil? ? assert_nil(actual) : assert_equal(wanted, actual)

  def failure_of
    yield
    nil
  rescue Streamer::Error => error
    error
  end

  def chat
    provider = Streamer::Providers[@variant.provider]
    provider.new(api_key: "k", base_url: @upstream.url).chat(model: "m", messages: [{ role: "user", content: "Why?" }])
  end
end
