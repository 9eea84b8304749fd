# frozen_string_literal: true

require "test_helper"
require "support/upstream"

# What providers are sent, and how they are declared.
class ProviderRequestsTest < Minitest::Test
  MESSAGES = [{ role: "system", content: "Be brief." }, { role: "user", content: "Why?" },
              { role: "assistant", content: "Because." }].freeze

  def setup
    @upstream = Upstream.new { |exchange| exchange.json({}) }
  end

  def teardown = @upstream.stop

  def test_bodies
    messages = MESSAGES.map { |message| message.transform_keys(&:to_s) }
    assert_equal({ "stream" => true, "stream_options" => { "include_usage" => true }, "model" => "m", "messages" => messages }, body(:openai))
    assert_equal({ "stream" => true, "model" => "m", "input" => messages }, body(:openai_responses))
    assert_equal({ "stream" => true, "max_tokens" => 4096, "model" => "m", "system" => "Be brief.", "messages" => messages.drop(1) },
                 body(:anthropic))
    assert_equal({ "systemInstruction" => { "parts" => [{ "text" => "Be brief." }] },
                   "contents" => [{ "role" => "user", "parts" => [{ "text" => "Why?" }] },
                                  { "role" => "model", "parts" => [{ "text" => "Because." }] }] }, body(:gemini))
    assert_equal({ "stream" => true, "model" => "m", "system_instruction" => "Be brief.",
                   "input" => [{ "role" => "user", "content" => "Why?" }, { "role" => "model", "content" => "Because." }] },
                 body(:gemini_interactions))
    assert_equal({ "stream" => true, "model" => "m", "messages" => messages }, body(:mistral))
    assert_equal({ "stream" => true, "model" => "m", "messages" => messages }, body(:ollama))
    assert_equal({ "stream" => true, "model" => "m", "messages" => messages }, body(:cohere))
  end

  def test_a_systems_prompt_in_parts
    part = { "type" => "text", "text" => "Be brief.", "cache_control" => { "type" => "ephemeral" } }
    assert_equal [part, part], body(:anthropic, messages: Array.new(2) { { role: "system", content: [part] } })["system"]
    parts = body(:gemini, messages: [{ role: "system", content: [{ text: "Be brief." }] }])["systemInstruction"]["parts"]
    assert_equal [{ "text" => "Be brief." }], parts
  end

  def test_options_are_the_providers_own_words
    sent = body(:openai, temperature: 0, tools: [{ type: "function" }], stream_options: nil)
    assert_equal [0, [{ "type" => "function" }]], sent.values_at("temperature", "tools")
    refute sent.key?("stream_options")
    assert_equal 100, body(:anthropic, max_tokens: 100)["max_tokens"]
    assert_equal [{ "text" => "raw" }], body(:gemini, messages: nil, contents: [{ parts: [{ text: "raw" }] }])["contents"].first["parts"]
  end

  def test_headers
    provider = Streamer::Providers[:anthropic].new(api_key: "k", base_url: @upstream.url, headers: { "anthropic-beta" => "x" })
    provider.chat(model: "m", messages: [], headers: { "x-own" => "1" }).request.call.read
    sent = @upstream.requests.last.headers
    assert_equal %w[k 2023-06-01 x 1], sent.values_at("x-api-key", "anthropic-version", "anthropic-beta", "x-own")
  end

  def test_a_provider_without_a_key
    provider = Streamer::Providers[:ollama].new(base_url: @upstream.url)
    provider.chat(model: "m", messages: []).request.call.read
    refute @upstream.requests.last.headers.key?("authorization")
  end

  def test_timeouts
    @upstream.on("/api/chat", &:stall)
    provider = Streamer::Providers[:ollama].new(base_url: @upstream.url, timeouts: { first_event: 30 })
    assert_raises(Streamer::FirstEventTimeoutError) { provider.chat(model: "m", messages: [], timeouts: { first_event: 0.1 }).call }
  end

  def test_a_models_name_is_not_a_path
    ["../x", "a?b", "a b", "a/../b", "", "a:b"].each do |model|
      assert_raises(ArgumentError, model) { Streamer::Providers[:gemini].new(api_key: "k").chat(model: model) }
    end
  end

  def test_what_is_compatible_needs_another_base_url
    type = Streamer::Providers.register(:compatible, like: :openai, base_url: "#{@upstream.url}/own/v1", key: ["api-key", "%s"],
                                                     body: { n: 1 })
    assert_same type, Streamer::Providers["compatible"]
    assert_includes Streamer::Providers.names, :compatible
    type.new(api_key: "k").chat(model: "m", messages: []).request.call.read
    request = @upstream.requests.last
    assert_equal ["/own/v1/chat/completions", "k"], [request.target, request.headers["api-key"]]
    assert_equal [true, 1], JSON.parse(request.body).values_at("stream", "n")
    assert_equal "https://api.openai.com/v1", Streamer::Providers[:openai].declaration[:base_url]
  end

  def test_a_provider_that_is_declared_whole
    events = ['{"say":"Hel"}', '{"say":"lo","why":"over"}', "END"].map { |data| "data: #{data}\n\n" }
    @upstream.on("/ask") { |exchange| exchange.stream(events) }
    Streamer::Providers.register(:own, base_url: @upstream.url, path: "/ask", done: "END", text: "say", kept: { finish_reason: "why" })
    completion = Streamer::Providers[:own].new.chat(model: "m").each_text { |text| assert_includes %w[Hel lo], text }
    assert_equal "over", completion.finish_reason
  end

  def test_a_declaration_of_the_types_of_events_that_have_text
    events = %w[say think sing].map { |type| %(event: #{type}\ndata: {"words":"#{type} "}\n\n) }
    @upstream.on("/ask") { |exchange| exchange.stream(events) }
    Streamer::Providers.register(:typed, base_url: @upstream.url, path: "/ask", text: "words", from: %w[say sing])
    chat = Streamer::Providers[:typed].new.chat(model: "m")
    assert_equal "say sing ", chat.call.text
    pipeline = Streamer::Pipeline.new(**chat.relay_options, collect: 100)
    chat.request.call.each_frames(pipeline) { |frames| frames }
    assert_equal "say sing ", pipeline.text
    values = chat.request.call.each_value("words", from: "sing").to_a
    assert_equal ["sing "], values
  end

  def test_wrong_declarations_and_names
    assert_raises(ArgumentError) { Streamer::Providers.register(:wrong, txt: "x") }
    assert_match(/openai/, assert_raises(ArgumentError) { Streamer::Providers[:nobody] }.message)
  end

  def test_the_key_is_in_no_inspect
    provider = Streamer::Providers[:openai].new(api_key: "sk-secret", base_url: @upstream.url)
    chat = provider.chat(model: "m", messages: [])
    assert_match(/OpenAI.*#{Regexp.escape(@upstream.url)}/, provider.inspect)
    shown = [provider, chat, chat.request, chat.call, chat.relay_options].map(&:inspect)
    shown.each { |text| refute_includes text, "sk-secret" }
  end

  private

  def body(name, messages: MESSAGES, **options)
    Streamer::Providers[name].new(api_key: "k", base_url: @upstream.url).chat(model: "m", messages: messages, **options).request.call.read
    JSON.parse(@upstream.requests.last.body)
  end
end
