# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "streamer/testing/http2_upstream"

# Several streams on one connection: ending one is nobody else's business.
module HTTP2PeersTests
  def setup
    @upstream = Streamer::Testing::HTTP2Upstream.new { |stream| script(stream) }
    @client = Streamer::Client.new(@upstream.url, tls: { ca_file: Certificates.ca_file })
    @client.get("/short").each_event.count # there is a connection
  end

  def teardown
    super
    @upstream.stop
  end

  def test_streams_share_a_connection
    counts = Array.new(10) { beside { @client.get("/count").each_event.map(&:data) } }.map(&:value)

    assert_equal [Array.new(20, &:to_s)] * 10, counts
    assert_equal 1, @upstream.connections
  end

  def test_cancelling_resets_one_stream_and_leaves_the_others_alone
    others = Array.new(3) { beside { @client.get("/count").each_event.count } }
    response = @client.get("/stalled")
    response.cancel

    assert_equal [20, 20, 20], others.map(&:value)
    assert_equal 20, @client.get("/count").each_event.count
    assert_equal [["/stalled"], 1], [resets, @upstream.connections]
  end

  def test_streams_cancelled_at_random_moments_leave_every_answer_its_own
    random = Random.new(Minitest.seed)
    others = Array.new(3) { beside { @client.get("/count").each_event.map(&:data) } }
    40.times do |number|
      response = @client.get("/stalled")
      sleep random.rand(0.005)
      response.cancel
      assert_equal [number.to_s], @client.get("/own?#{number}").each_event.map(&:data)
    end

    assert_equal [Array.new(20, &:to_s)] * 3, others.map(&:value)
  end

  def test_a_server_that_wants_no_more_streams_gets_them_on_another_connection
    assert_equal %w[last words], @client.get("/goaway").each_event.map(&:data)
    assert_equal 20, @client.get("/count").each_event.count
    assert_equal 2, @upstream.connections
  end

  private

  def script(stream)
    case stream.path
    when "/short" then stream.event("a")
    when /own/ then stream.event(stream.path[/\d+/])
    when "/count" then 20.times { |number| stream.event(number).pause(0.005) }
    when "/stalled" then stream.event("a").stall
    when "/goaway" then stream.event("last").goaway.pause(0.05).event("words")
    end
  end

  def resets
    deadline = now + 20
    sleep 0.01 while @upstream.resets.empty? && now < deadline
    @upstream.resets
  end
end

class HTTP2PeersOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include HTTP2PeersTests
end

class HTTP2PeersInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include HTTP2PeersTests
end

class HTTP2PeersInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include HTTP2PeersTests
end
