# frozen_string_literal: true

require "test_helper"
require "json"
require "support/app_server"
require "support/browser"

# From a controller through Puma to an EventSource.
class BrowserLiveTest < Minitest::Test
  TYPES = %w[step token text].freeze

  def setup
    @server = AppServer.shared(:puma)
    @page = Browser.open("http://127.0.0.1:#{@server.port}/plain/show")
  end

  def teardown
    @page&.close
  end

  def test_events_of_stream_events_arrive_with_type_data_and_id
    events = read("/streams/events?count=3")

    assert_equal %w[step step step], events.map(&:type)
    assert_equal [0, 1, 2], events.map { |event| JSON.parse(event.data)["index"] }
    assert_equal %w[0 1 2], events.map(&:id)
  end

  def test_the_response_ends_as_the_block_does
    read("/streams/events?count=3")

    assert_equal ["finished"], @page.streams.map(&:outcome)
  end

  def test_each_event_is_there_before_the_next_is_written
    read("/streams/events?count=20&every=0.1")

    assert_one_by_one @page.streams.last.events.map(&:at)
  end

  def test_sse_under_action_controller_live_arrives_the_same_way
    events = read("/live/sse?count=20&every=0.1")

    assert_equal (["token"] * 20) + ["text"], events.map(&:type)
    assert_equal [*"0".."19", "19"], events.map(&:id)
    assert_equal "a\nb\nc\nd", events.last.data
    assert_one_by_one @page.streams.last.events.first(20).map(&:at)
    assert_equal "finished", @page.streams.last.outcome
  end

  def test_an_exception_in_the_block_is_the_last_event_and_says_nothing_private
    ["/streams/failed_inside", "/live/failed"].each do |path|
      events = read(path)

      assert_equal %w[message error], events.map(&:type)
      assert_equal "internal", JSON.parse(events.last.data)["error"]
      refute_match(/secret/, events.last.data)
      assert_equal "finished", @page.streams.last.outcome
    end
  end

  def test_an_error_of_the_upstream_has_its_name
    assert_equal ["idle_timeout"], read("/streams/failed_upstream").map { |event| JSON.parse(event.data)["error"] }
  end

  def test_an_exception_before_the_stream_is_an_answer_that_the_browser_does_not_ask_for_again
    assert_nil read("/streams/failed_before")
  end

  private

  # Two thirds of them at least: what a busy machine holds up comes together with the next. A cork of 200 ms would do that to half.
  def assert_one_by_one(moments)
    gaps = moments.each_cons(2).map { |first, second| second - first }.sort

    assert_operator gaps[gaps.size / 3], :>, 0.04, moments.inspect
  end

  def read(path) = @page.read([[path, TYPES]]).first
end
