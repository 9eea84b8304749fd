# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# What a request took, however it ended.
module TimingsTests
  STEPS = %i[queue dns connect tls first_byte first_event first_text total gap_p95 gap_max].freeze

  def setup
    @upstream = upstream { |exchange| exchange.openai(tokens: 3) }
    @upstream.on("/paced") do |exchange|
      exchange.pause(0.2).head.pause(0.5).chunk("data: {\"a\":\"\"}\n\n").pause(0.5)
      9.times { exchange.chunk("data: {\"a\":\"x\"}\n\n").pause(0.02) }
      exchange.pause(0.6).chunk("data: {\"a\":\"y\"}\n\n").finish
    end
    @upstream.on("/stalled") { |exchange| exchange.head.chunk("data: {\"a\":\"x\"}\n\n").stall }
    @client = Streamer::Client.new(@upstream.url)
  end

  def test_all_of_them_in_order
    timings = @client.get("/").tap { |response| response.each_event { |event| event } }.timings
    assert_equal [*STEPS, :bytes, :reused, :http_version, :address, :outcome], timings.keys
    assert_equal [false, "1.1", "127.0.0.1", :completed], timings.values_at(:reused, :http_version, :address, :outcome)
    assert_nil timings[:tls]
    assert_operator timings[:bytes], :>, 300
    steps = timings.values_at(:dns, :connect, :first_byte, :total)
    assert_equal steps.sort, steps
    assert_operator timings[:queue], :<, 10
  end

  def test_a_connection_that_was_kept
    2.times { @client.get("/").read }
    timings = @client.get("/").tap(&:read).timings
    assert timings[:reused]
    assert_equal [nil, "127.0.0.1"], timings.values_at(:tls, :address)
  end

  def test_tls
    secure = upstream(tls: true, &:echo)
    timings = Streamer.get(secure.url, tls: { ca_file: Certificates.ca_file }).tap(&:read).timings
    assert_operator timings[:tls], :>, timings[:connect]
  end

  def test_first_byte_event_and_text_and_the_gaps
    timings = nil
    [-> { each_value }, -> { each_frames }].each do |read|
      timings = read.call
      assert_operator timings[:first_byte], :>=, 0.19
      assert_operator timings[:first_event], :>=, timings[:first_byte] + 0.1
      assert_operator timings[:first_text], :>=, timings[:first_event] + 0.1
      assert_operator timings[:gap_max], :>=, 0.3
      assert_operator timings[:gap_max], :<, 20
      assert_operator timings[:gap_p95], :<=, timings[:gap_max]
      assert_operator timings[:total], :>, timings[:first_text] + 0.3
    end
  end

  def test_an_answer_that_is_no_event_stream
    @upstream.on("/json", &:echo)
    timings = @client.get("/json").tap(&:json).timings
    assert_operator timings[:first_event], :>=, 0
    assert_nil timings[:first_text]
  end

  def test_none_until_the_end
    response = @client.get("/stalled")
    assert_nil response.timings
  ensure
    response.cancel
  end

  def test_a_cancelled_one
    response = @client.get("/stalled")
    error = assert_raises(Streamer::CancelledError) { response.each_value("a") { response.cancel } }
    assert_equal :cancelled, error.timings[:outcome]
    assert_operator error.timings[:first_text], :>, 0
    assert_equal error.timings, response.timings
  end

  def test_a_block_that_breaks_off
    response = @client.get("/stalled")
    response.each_value("a") { break }
    timings = response.timings
    assert_equal :cancelled, timings[:outcome]
    assert_operator timings[:bytes], :>, 0
    assert_operator timings[:first_event], :<=, timings[:first_text]
  end

  def test_one_that_is_cancelled_before_it_is_read
    response = @client.get("/stalled")
    response.cancel
    assert_equal :cancelled, response.timings[:outcome]
  end

  def test_no_first_byte_where_none_came
    @upstream.on("/mute", &:close)
    error = assert_raises(Streamer::ClosedError) { @client.post("/mute") }
    assert_nil error.timings[:first_byte]
  end

  def test_one_that_timed_out
    error = assert_raises(Streamer::IdleTimeoutError) { @client.get("/stalled", timeouts: { idle: 0.6 }).each_event { |event| event } }
    assert_equal :idle_timeout, error.timings[:outcome]
    assert_operator error.timings[:total], :>, 0.15 # timers go by milliseconds, timings by less
    assert_operator error.timings[:first_event], :<, error.timings[:total]
  end

  def test_one_that_failed
    error = assert_raises(Streamer::ConnectError) { Streamer.get(Upstream.refused_url) }
    assert_equal [:connect_failed, nil, nil], error.timings.values_at(:outcome, :first_byte, :address)
    error = assert_raises(Streamer::ResolveError) { Streamer.get("http://#{"a" * 64}.invalid/") } # no name server is asked
    assert_equal [:resolve_failed, nil, nil], error.timings.values_at(:outcome, :connect, :address)
    seen = []
    @upstream.on("/cut") { |exchange| exchange.head.chunk("data: a\n\n").tap { sleep 0.002 until seen.any? }.reset }
    error = assert_raises(Streamer::ClosedError) { @client.get("/cut").each_event { |event| seen << event } }
    assert_equal :closed, error.timings[:outcome]
    assert_operator error.timings[:bytes], :>, 0
  end

  def test_an_answer_that_was_not_what_was_wanted
    @upstream.on("/busy") { |exchange| exchange.answer("busy", status: 503) }
    error = assert_raises(Streamer::ResponseError) { @client.get("/busy").each_event { flunk } }
    assert_equal :completed, error.timings[:outcome]
    @upstream.on("/no-json") { |exchange| exchange.stream(["data: {\n\n"]).stall }
    error = assert_raises(Streamer::InvalidJSONError) { @client.get("/no-json").each_value("a") { flunk } }
    assert_operator error.timings[:first_byte], :>, 0
  end

  private

  def each_value
    @client.get("/paced").tap { |response| response.each_value("a") { |value| value } }.timings
  end

  def each_frames
    @client.get("/paced").tap { |response| response.each_frames(Streamer::Pipeline.new(value: "a")) { |frames| frames } }.timings
  end
end

class TimingsOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include TimingsTests

  # The events' times are those of their arrival, whenever the block takes them. (In a fiber scheduler nothing arrives
  # while no fiber waits.)
  def test_a_slow_block_does_not_count
    response = @client.get("/")
    wait_until { Streamer.stats[:upstreams].zero? } # it is all here
    arrived = seconds { sleep 1 }
    response.each_event { sleep 0.1 }
    assert_operator response.timings[:first_event], :<, arrived
    assert_operator response.timings[:gap_max] || 0, :<, arrived
  end
end

class TimingsInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include TimingsTests
end

class TimingsInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include TimingsTests
end
