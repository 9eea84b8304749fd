# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "timeout"

# Streamer.limits: so many requests under way at once, and a fair queue for the others, whose time is in no other timeout.
module LimitsTests
  def setup
    @lock = Mutex.new
    @upstream = upstream(&:echo)
    @upstream.on("/hold") { |exchange| exchange.head.chunk("data: a\n\n").stall }
    @upstream.on("/count") { |exchange| count_held(exchange, 3) }
    @client = Streamer::Client.new(@upstream.url)
  end

  def teardown
    Streamer.limits = {}
    super
  end

  def test_no_limit_is_set_unless_asked_for
    assert_equal [nil, nil], Streamer.limits.values_at(:per_origin, :total)
  end

  def test_so_many_at_once_to_one_origin
    Streamer.limits = { per_origin: 3 }
    assert_equal Array.new(12, 200), in_parallel(12) { @client.get("/count").tap(&:read).status }
    assert_equal 3, @most
  end

  def test_so_many_in_total
    Streamer.limits = { total: 2 }
    others = Array.new(3) { upstream { |exchange| count_held(exchange, 2) } }
    in_parallel(9) { |number| Streamer.get(others[number % 3].url("/")).read }
    assert_equal 2, @most
  end

  def test_a_full_origin_holds_up_nobody_who_goes_elsewhere
    Streamer.limits = { per_origin: 1 }
    held = @client.get("/hold")
    waiting = beside { @client.get("/").status }
    assert_equal 200, Streamer.get(upstream(&:echo).url).status
    assert_equal 1, @upstream.requests.size
    held.cancel
    assert_equal 200, waiting.value
  end

  def test_first_come_first_served
    Streamer.limits = { per_origin: 1 }
    held = @client.get("/hold")
    waiting = Array.new(5) { |number| beside { @client.get("/#{number}").read }.tap { queued(number + 1) } }
    held.cancel
    waiting.each(&:value)
    assert_equal %w[/hold /0 /1 /2 /3 /4], @upstream.requests.map(&:path)
  end

  def test_the_queues_timeout
    Streamer.limits = { per_origin: 1 }
    held = @client.get("/hold")
    error = nil
    took = seconds { error = assert_raises(Streamer::QueueTimeoutError) { @client.get("/", timeouts: { queue: 0.2 }) } }
    assert_operator took, :>=, 0.19
    assert_operator took, :<, 10
    assert_kind_of Streamer::TimeoutError, error
    assert_equal "GET #{@upstream.url}/", error.request
    assert_match(/Streamer\.limits/, error.message)
    assert_equal :queue_timeout, error.timings[:outcome]
    assert_operator error.timings[:queue], :>=, 0.19
    assert_equal 1, @upstream.requests.size
    held.cancel
    assert_equal 200, @client.get("/").status
  end

  def test_the_queue_is_in_no_other_timeout
    Streamer.limits = { per_origin: 1 }
    held = @client.get("/hold")
    waiting = beside do
      timeouts = { connect: 1, first_byte: 1, first_event: 1, idle: 1, event_idle: 1, total: 1 }
      @client.get("/", timeouts: timeouts).tap(&:read).timings
    end
    queued(1)
    sleep 1.5
    held.cancel
    timings = waiting.value
    assert_operator timings[:queue], :>, 1.4
    assert_operator timings[:total], :<, 1
  end

  def test_who_gives_up_leaves_the_queue
    leaves_the_queue { assert_raises(Streamer::QueueTimeoutError) { @client.get("/never", timeouts: { queue: 0.1 }) } }
  end

  def test_a_slot_comes_back_however_a_request_ends
    Streamer.limits = { per_origin: 1, total: 1 }
    @upstream.on("/reset", &:reset)
    @upstream.on("/stall", &:stall)
    @upstream.on("/error") { |exchange| exchange.answer("no", status: 500) }
    refused = Upstream.refused_url
    3.times do
      assert_raises(Streamer::ClosedError) { @client.get("/reset") }
      assert_raises(Streamer::IdleTimeoutError) { @client.get("/stall", timeouts: { idle: 0.05 }) }
      assert_raises(Streamer::ConnectError) { Streamer.get(refused) }
      assert_raises(Streamer::ResponseError) { @client.get("/error").each_event { flunk } }
      assert_equal "a", @client.get("/hold").each_event { |event| break event.data }
      @client.get("/hold").cancel
      @client.get("/", redirects: 0).read
    end
    assert_equal 200, @client.get("/", timeouts: { queue: 20 }).status
  end

  def test_a_response_that_nobody_refers_to_gives_its_slot_back
    Streamer.limits = { per_origin: 5 }
    drop_responses
    3.times { GC.start }
    assert_equal 200, @client.get("/", timeouts: { queue: 20 }).status
  end

  def test_a_redirect_needs_no_second_slot
    Streamer.limits = { per_origin: 1, total: 1 }
    @upstream.on("/moved") { |exchange| exchange.redirect("/") }
    assert_equal 200, @client.get("/moved", timeouts: { queue: 20 }).status
  end

  def test_wrong_limits_are_refused
    [{ per_host: 1 }, { per_origin: 0 }, { total: -1 }, { total: "5" }, { idle_age: 1.5 }].each do |limits|
      assert_raises(ArgumentError, limits.inspect) { Streamer.limits = limits }
    end
    assert_equal Streamer::Upstream::Limits::DEFAULTS, Streamer.limits
  end

  def test_what_is_not_named_has_its_default
    Streamer.limits = { total: 7 }
    assert_equal({ per_origin: nil, total: 7, idle_age: 55, age: 900 }, Streamer.limits)
  end

  private

  # Waits until so many requests are in the queue. (A fiber is in it as soon as it has begun, and stats know the native thread's.)
  def queued(count) = fibers? || wait_until { Streamer.stats[:queued] == count }

  def in_parallel(count, &block) = Array.new(count) { |number| beside { block.call(number) } }.map(&:value)

  # Answers slowly, not before `wanted` are asked at once, and remembers how many were at the most.
  def count_held(exchange, wanted)
    @lock.synchronize do
      @held = @held.to_i + 1
      @most = [@most.to_i, @held].max
    end
    wait_until { @most >= wanted }
    exchange.head.pause(0.05)
    @lock.synchronize { @held -= 1 }
    exchange.finish
  end

  def leaves_the_queue
    Streamer.limits = { per_origin: 1 }
    held = @client.get("/hold")
    yield
    held.cancel
    assert_equal 200, @client.get("/").status
    assert_equal %w[/hold /], @upstream.requests.map(&:path)
  end

  # In frames of its own, which are gone when the collector looks for references; it may mistake one of them, and not five.
  def drop_responses = Array.new(5) { @client.get("/hold") }.clear
end

class LimitsOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include LimitsTests

  def test_stats_count_who_waits
    Streamer.limits = { per_origin: 1 }
    held = @client.get("/hold")
    waiting = Array.new(2) { beside { @client.get("/").status } }
    queued(2)
    refused = beside { @client.get("/", timeouts: { queue: 2 }) }
    queued(3)
    assert_raises(Streamer::QueueTimeoutError) { refused.value }
    assert_equal 2, Streamer.stats[:queued]
    held.cancel
    assert_equal [200, 200], waiting.map(&:value)
    assert_equal 0, Streamer.stats[:queued]
  end

  def test_an_idle_connection_is_given_up_at_its_age
    Streamer.limits = { idle_age: 1 }
    2.times { @client.get("/").read }
    assert_equal 1, @upstream.connections
    sleep 2.1
    @client.get("/").read
    assert_equal 2, @upstream.connections
  end

  def test_a_connection_in_use_is_given_up_at_its_age
    Streamer.limits = { age: 1 }
    @client.get("/").read
    3.times { sleep(0.7) && @client.get("/").read }
    assert_operator @upstream.connections, :>, 1
  end

  def test_who_is_interrupted_leaves_the_queue
    leaves_the_queue { assert_raises(Timeout::Error) { Timeout.timeout(0.2) { @client.get("/never") } } }
  end

  def test_who_is_killed_leaves_the_queue
    leaves_the_queue { Thread.new { @client.get("/never") }.tap { queued(1) }.kill.join }
  end
end

class LimitsInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include LimitsTests
end

class LimitsInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include LimitsTests

  def test_who_is_stopped_leaves_the_queue
    leaves_the_queue { Async { @client.get("/never") }.tap { sleep 0.1 }.stop }
  end
end
