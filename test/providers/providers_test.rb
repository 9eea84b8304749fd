# frozen_string_literal: true

require "test_helper"
require "streamer/providers" # here, since async on Ruby 3.1 cannot read files
require "support/contexts"
require "support/provider_transcripts"

# Each provider's own transcripts, read in every way.
module ProvidersTests
  # name => the path of its requests, its header with the key, how a text ends, how tool calls end, their indexes and ids
  EXPECTED = {
    openai: ["/v1/chat/completions", "authorization", "stop", "tool_calls", [[0, "call_Hx1"], [1, "call_Hx2"]]],
    openai_responses: ["/v1/responses", "authorization", "completed", "completed", [[1, "call_Hx1"], [2, "call_Hx2"]]],
    anthropic: ["/v1/messages", "x-api-key", "end_turn", "tool_use", [[1, "toolu_01A"], [2, "toolu_01B"]]],
    gemini: ["/v1beta/models/some-model:streamGenerateContent?alt=sse", "x-goog-api-key", "STOP", "STOP", [[0, nil], [1, "fn-2"]]],
    gemini_array: ["/v1beta/models/some-model:streamGenerateContent", "x-goog-api-key", "STOP", "STOP", [[0, nil], [1, "fn-2"]]],
    mistral: ["/v1/chat/completions", "authorization", "stop", "tool_calls", [[0, "D681PevKs"], [1, "E792QfwLt"]]],
    ollama: ["/api/chat", "authorization", "stop", "stop", [[0, nil], [1, nil]]],
    cohere: ["/v2/chat", "authorization", "COMPLETE", "TOOL_CALL", [[0, "get_weather_1"], [1, "get_time_2"]]]
  }.freeze

  TEXT = "Grüße aus Paris 🥐: it is sunny."
  CALLS = [["get_weather", { "city" => "Paris" }], ["get_time", { "zone" => "Europe/Paris" }]].freeze
  KEY = "sk-secret-1234567890"

  def setup
    @played = {}
    @upstream = upstream { |exchange| @play.call(exchange) }
  end

  EXPECTED.each_key do |name|
    define_method("test_#{name}_text") do
      path, header, reason, = EXPECTED.fetch(name)
      [nil, 1, 7].each do |split|
        play("#{name}_text", split: split)
        pieces = []
        completion = chat(name).each_text { |text| pieces << text }
        assert_equal TEXT, pieces.join
        assert_operator pieces.size, :>, 3
        assert_equal reason, completion.finish_reason
        assert_equal({ input_tokens: 19, output_tokens: 6 }, completion.usage)
        assert_empty completion.tool_calls
      end
      request = @upstream.requests.last
      assert_equal ["POST", path], [request.method, request.target]
      assert_includes request.headers.fetch(header), KEY
    end

    define_method("test_#{name}_tools") do
      *, reason, expected = EXPECTED.fetch(name)
      [nil, 1, 7].each do |split|
        play("#{name}_tools", split: split)
        seen = Hash.new { |hash, index| hash[index] = +"" }
        completion = chat(name).each_tool_call_delta do |call|
          seen[call.index] << call.delta
          assert_equal seen[call.index], call.arguments
        end
        assert_equal CALLS, completion.tool_calls.map { |call| [call.name, call.json] }
        assert_equal expected, completion.tool_calls.map { |call| [call.index, call.id] }
        assert_equal completion.tool_calls.map(&:arguments), seen.values
        assert_equal reason, completion.finish_reason
        assert_equal({ input_tokens: 82, output_tokens: 47 }, completion.usage)
      end
    end

    define_method("test_#{name}_error_in_mid_stream") do
      play("#{name}_error")
      seen = []
      error = assert_raises(Streamer::UpstreamError) { chat(name).each_text { |text| seen << text } }
      assert_equal ["Grüße"], seen
      assert_predicate error, :delivered?
      refute_includes error.full_message, KEY
    end

    define_method("test_#{name}_refused") do
      body = ProviderTranscripts.bytes("#{name}_401")
      head = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: #{body.bytesize}\r\n\r\n"
      @play = ->(exchange) { exchange.raw(head + body) }
      error = assert_raises(Streamer::ResponseError) { chat(name).each_text { flunk } }
      assert_equal [401, body], [error.status, error.body.b]
      refute_includes error.full_message, KEY
    end

    define_method("test_#{name}_cut") do
      @play = lambda do |exchange|
        bytes = ProviderTranscripts.bytes("#{name}_text")
        exchange.head(type: ProviderTranscripts.type("#{name}_text"))
        exchange.chunk(bytes.byteslice(0, bytes.bytesize / 2)).finish
      end
      seen = +""
      completion = chat(name).call
      if name == :gemini # without an end marker it is the reason that is missing
        completion.each_text { |text| seen << text }
        assert_nil completion.finish_reason
      else
        assert_raises(Streamer::TruncatedError) { completion.each_text { |text| seen << text } }
      end
      assert seen.start_with?("Gr") && seen.size < TEXT.size, seen
    end

    define_method("test_#{name}_is_relayed_alike") do
      play("#{name}_text")
      pipeline = relay(chat(name))
      assert_equal TEXT, pipeline.text
      assert_equal({ finish_reason: EXPECTED.fetch(name)[2], input_tokens: 19, output_tokens: 6 }, pipeline.kept)
    end
  end

  # Gemini's have none.
  def test_reading_ends_at_the_end_marker_though_the_connection_stays_open
    EXPECTED.keys.grep_v(/gemini/).each do |name|
      @play = ->(exchange) { exchange.head(type: ProviderTranscripts.type("#{name}_text")).chunk(ProviderTranscripts.bytes("#{name}_text")).stall }
      started = now
      assert_equal TEXT, chat(name, timeouts: { idle: 10 }).call.text
      assert_operator now - started, :<, 5, name
    end
  end

  def test_relays_get_neither_arguments_nor_reasoning
    EXPECTED.each_key do |name|
      play("#{name}_tools")
      assert_equal "", relay(chat(name)).text, name
    end
  end

  def test_openai_responses_failed
    play("openai_responses_failed")
    pipeline = nil
    errors = [assert_raises(Streamer::UpstreamError) { chat(:openai_responses).each_text { |text| assert_equal "Grüße", text } },
              assert_raises(Streamer::UpstreamError) { relay(chat(:openai_responses)) { |made| pipeline = made } }]
    errors.each { |error| assert_match(/Rate limit reached/, error.message) }
    assert_equal "Grüße", pipeline.text
  end

  # Not the head of the message, which the application does not see.
  def test_delivered_means_that_the_application_got_something
    play("anthropic_late_error")
    %i[each_text each_tool_call_delta each_delta].each do |way|
      error = assert_raises(Streamer::UpstreamError) { chat(:anthropic).public_send(way) { flunk } }
      refute_predicate error, :delivered?, way
    end
    play("anthropic_error")
    error = assert_raises(Streamer::UpstreamError) { chat(:anthropic).each_tool_call_delta { flunk } }
    refute_predicate error, :delivered?
  end

  def test_mistral_thinking
    play("mistral_thinking")
    assert_equal TEXT, chat(:mistral).call.text
  end

  def test_text_and_tools_in_their_order
    play("anthropic_text")
    kinds = []
    chat(:anthropic).each_delta { |text, call| kinds << [text.class, call.class] }
    assert_equal [[String, NilClass]], kinds.uniq
    play("anthropic_tools")
    kinds = []
    chat(:anthropic).each_delta { |text, call| kinds << [text.class, call.class] }
    assert_equal [[NilClass, Streamer::Providers::ToolCall]], kinds.uniq
  end

  def test_whole_text
    play("openai_text")
    assert_equal TEXT, chat(:openai).call.text
    assert_raises(Streamer::BodyTooLargeError) { chat(:openai).call.text(max: 10) }
  end

  def test_breaking_ends_the_upstream
    @play = lambda do |exchange|
      exchange.head.chunk(ProviderTranscripts.bytes("openai_text").lines("\n\n").first(3).join).stall
    end
    chat(:openai).each_text { break }
    assert @upstream.wait_request.wait_gone, "the upstream never saw the client disconnect"
  end

  def test_several_at_once
    play("openai_text")
    answers = Array.new(6) { beside { chat(:openai).call.text } }
    assert_equal [TEXT] * 6, answers.map(&:value)
  end

  def test_chats_side_by_side
    play("anthropic_text", split: 7)
    texts = { a: +"", b: +"" }
    Streamer.merge(a: chat(:anthropic), b: -> { chat(:anthropic).call }) { |name, text| texts[name] << text }
    assert_equal({ a: TEXT, b: TEXT }, texts)
    assert_equal texts, Streamer.gather(a: chat(:anthropic), b: -> { chat(:anthropic).call })
  end

  def test_ways_to_read_return_the_completion
    play("openai_text")
    completion = chat(:openai).call
    assert_same completion, completion.each_text { |text| text }
    assert_kind_of Streamer::Providers::Completion, chat(:openai).each_text { |text| text }
    assert_kind_of Streamer::Providers::Completion, chat(:openai).each_delta { |text, _| text }
    assert_kind_of Streamer::Providers::Completion, chat(:openai).each_tool_call_delta { flunk }
    assert_equal TEXT, chat(:openai).call.each_text.to_a.join
  end

  private

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  # What a relay makes of its response.
  def relay(chat)
    pipeline = Streamer::Pipeline.new(**chat.relay_options, event: "token", collect: 1000)
    yield pipeline if block_given?
    chat.request.call.each_frames(pipeline) { |frames| frames }
    pipeline
  end

  def play(name, split: nil)
    @play = ->(exchange) { ProviderTranscripts.play(exchange, name, split: split) }
  end

  def chat(name, **options)
    provider = Streamer::Providers[name]
    base = "#{@upstream.url}#{URI(provider.declaration.fetch(:base_url)).path}"
    provider.new(api_key: KEY, base_url: base, **options).chat(model: "some-model", messages: [{ role: "user", content: "Weather?" }])
  end
end

class ProvidersOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include ProvidersTests
end

class ProvidersInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include ProvidersTests
end

class ProvidersInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include ProvidersTests
end
