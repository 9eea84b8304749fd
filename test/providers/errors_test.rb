# frozen_string_literal: true

require "test_helper"
require "streamer/providers"
require "support/upstream"

# Bodies of errors as providers, servers and proxies send them, from test/fixtures/providers/errors: NAME_STATUS.
class ProviderErrorsTest < Minitest::Test
  # name => the message and the type that are in it; nil for what nobody could find.
  EXPECTED = {
    openai_400: ["Unsupported value: 'temperature'.", "invalid_request_error"],
    azure_429: ["Requests have exceeded the token rate limit", "429"],
    azure_content_filter_400: ["The response was filtered.", nil],
    anthropic_529: %w[Overloaded overloaded_error],
    gemini_400: ["API key not valid.", "INVALID_ARGUMENT"],
    vertex_429: ["Resource exhausted.", "RESOURCE_EXHAUSTED"],
    mistral_400: ["Invalid model: m", "invalid_model"],
    mistral_422: ["Field required", "missing"],
    ollama_404: ["model 'm' not found", nil],
    cohere_401: ["invalid api token", nil],
    openrouter_402: ["Insufficient credits", "402"],
    groq_413: ["Request too large for model", "tokens"],
    deepseek_402: ["Insufficient Balance", "unknown_error"],
    xai_400: ["Model not found: m", nil],
    vllm_404: ["The model `m` does not exist.", "NotFoundError"],
    llama_cpp_503: ["Loading model", "unavailable_error"],
    databricks_403: ["Invalid access token.", nil],
    proxy_500: [nil, nil],
    string_500: ["upstream connect error", nil],
    strings_500: ["upstream connect error", nil],
    null_500: [nil, nil],
    nested_500: ["deep", nil],
    odd_500: [nil, nil],
    bom_503: %w[Busy busy],
    cut_500: [nil, nil],
    empty_502: [nil, nil],
    page_502: ["502 Bad Gateway", nil]
  }.freeze

  BODIES = Dir[File.expand_path("../fixtures/providers/errors/*", __dir__)].to_h { |path| [File.basename(path, ".*").to_sym, File.binread(path)] }

  def setup
    @upstream = Upstream.new do |exchange|
      type = @name == :page_502 ? "text/html" : "application/json"
      exchange.raw("HTTP/1.1 #{@status} Error\r\ncontent-type: #{type}\r\ncontent-length: #{BODIES[@name].bytesize}\r\n\r\n#{BODIES[@name]}")
    end
  end

  def teardown = @upstream.stop

  EXPECTED.each do |name, (message, type)|
    define_method("test_#{name}") do
      @name = name
      @status = Integer(name[/\d+\z/])
      provider = Streamer::Providers[:openai].new(api_key: "k", base_url: @upstream.url)
      error = assert_raises(Streamer::ResponseError) { provider.chat(model: "m", messages: []).each_text { flunk } }
      assert_equal [@status, BODIES[name].delete_prefix("\xEF\xBB\xBF".b)], [error.status, error.body.b]
      assert_predicate error.message, :valid_encoding?
      assert_includes error.message, message if message
      assert_equal type, error.type if type
    end
  end

  def test_every_body_is_in_the_table
    assert_equal EXPECTED.keys.sort, BODIES.keys.sort
  end
end
