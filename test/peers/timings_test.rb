# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# Others know how long a request took when it was complete, and nothing of those that were not.
module TimingPeersTests
  VALUE = "choices.0.delta.content"

  def setup
    @upstream = upstream do |exchange|
      exchange.head.chunk(Upstream.token(0)).pause(0.15).chunk(Upstream.token(1)).pause(0.15).chunk(Upstream.token(2))
      exchange.request.path == "/cut" ? exchange.close : exchange.stall
    end
  end

  def test_of_a_stream_that_was_cancelled
    response = Streamer.get(@upstream.url("/silent"))
    assert_raises(Streamer::CancelledError) { response.each_value(VALUE) { |text| response.cancel if text == "t2 " } }

    assert_timings response.timings, :cancelled
  end

  def test_of_a_stream_whose_block_broke
    response = Streamer.get(@upstream.url("/silent"))
    response.each_value(VALUE) { |text| break if text == "t2 " }

    assert_timings response.timings, :cancelled
  end

  def test_of_a_stream_that_failed
    { "/cut" => [Streamer::ClosedError, :closed], "/silent" => [Streamer::IdleTimeout, :idle_timeout] }.each do |path, (error, outcome)|
      failure = assert_raises(error) { Streamer.get(@upstream.url(path), timeouts: { idle: 0.5 }).each_value(VALUE) { |text| text } }

      assert_timings failure.timings, outcome
    end
  end

  private

  def assert_timings(timings, outcome)
    assert_equal [outcome, "1.1"], timings.values_at(:outcome, :http_version)
    steps = timings.values_at(:first_byte, :first_event, :first_text, :total)
    assert_equal steps.sort, steps
    assert_operator timings[:gap_max], :>, 0.1
    assert_operator timings[:bytes], :>, 500
  end
end

class TimingPeersOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include TimingPeersTests
end

class TimingPeersInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include TimingPeersTests
end

class TimingPeersInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include TimingPeersTests
end
