# frozen_string_literal: true

require "test_helper"
require "tmpdir"
require "support/contexts"

# Recording a service: what is in the file afterwards, and what must not be.
class RecorderTest < Minitest::Test
  include Contexts::Threads

  KEY = "sk-proj-0123456789abcdef"

  def setup
    @directory = Dir.mktmpdir
    @path = File.join(@directory, "recordings", "chat.json")
    @service = upstream { |exchange| exchange.stream(["data: \xC3".b, "\xA9\n\n".b, "data: b\n\n"], every: 0.5) }
    @client = Streamer::Client.new(@service.url, headers: { "authorization" => "Bearer #{KEY}" })
  end

  def teardown
    super
    FileUtils.rm_rf(@directory)
  end

  def test_the_first_run_asks_the_service_and_the_second_does_not
    first = recording { |server| events(server) }
    second = recording { |server| events(server) }

    assert_equal %w[é b], first
    assert_equal first, second
    assert_equal 1, @service.requests.size
    assert_equal "Bearer #{KEY}", @service.requests.last.headers["authorization"]
  end

  def test_reads_stay_what_they_were
    recording { |server| events(server) }
    reads = JSON.parse(File.read(@path)).dig("exchanges", 0, "response", "reads")

    cut = ["data: \xC3".b, "\xA9\n\n".b].map { |bytes| { "base64" => [bytes].pack("m0") } }
    assert_equal [*cut, "data: b\n\n"], reads.map(&:last)
    assert_equal reads.map(&:first).sort, reads.map(&:first)
  end

  def test_credentials_are_not_in_the_file_wherever_they_come_back
    @service.on("/echo") do |exchange|
      headers = { "set-cookie" => "session=abc", "openai-organization" => "acme", "x-request-id" => "r1" }
      exchange.head(type: "application/json", headers: headers)
      exchange.chunk(%({"key":"#{KEY[0, 9]})).pause(0.02).chunk(%(#{KEY[9..]}","name":"Ada Lovelace"})).finish
    end
    recording(redact: ["Ada Lovelace"]) do |server|
      headers = { "x-api-key" => "another-secret", "x-tenant" => "acme" }
      Streamer.post(server.url("/echo?alt=sse&key=query-secret"), headers: headers, body: "I am Ada Lovelace").read
    end
    file = File.read(@path)

    [KEY, KEY[0, 9], KEY[9..], "session=abc", "another-secret", "query-secret", "acme", "Ada"].each { |secret| refute_includes file, secret }
    assert_includes file, "/echo?alt=sse&key=[redacted]"
    assert_includes file, "r1"
  end

  def test_a_failed_answer_is_recorded_as_well
    @service.on("/busy") { |exchange| exchange.json({ error: "slow down" }, status: 429, headers: { "retry-after" => 7 }) }
    Array.new(2) do
      recording do |server|
        response = Streamer.get(server.url("/busy"))
        assert_equal [429, "7", "slow down"], [response.status, response.headers["retry-after"], response.json["error"]]
      end
    end
    assert_equal 1, @service.requests.size
  end

  def test_what_broke_off_is_not_recorded
    @service.on("/broken") { |exchange| exchange.head.chunk("data: a\n\n").close }
    recording { |server| assert_raises(Streamer::Error) { Streamer.get(server.url("/broken")).each_event.to_a } }
    @service.on("/endless") { |exchange| exchange.head.chunk("data: a\n\n").stall }
    recording { |server| assert_equal "a", Streamer.get(server.url("/endless")).each_event.first.data }

    refute_path_exists @path
  end

  def test_a_service_that_cannot_be_reached
    @client = Streamer::Client.new(Upstream.refused_url)
    recording { |server| assert_equal 502, Streamer.get(server.url("/")).status }

    refute_path_exists @path
  end

  def test_without_a_recording_and_without_a_service
    error = assert_raises(ArgumentError) { Upstream.recorded(@path) }
    assert_includes error.message, @path
  end

  private

  def recording(**options)
    server = Upstream.recorded(@path, from: @client, **options)
    yield server
  ensure
    server&.stop
  end

  def events(server) = Streamer.post(server.url("/v1/chat/completions"), json: { q: 1 }).each_event.map(&:data)
end
