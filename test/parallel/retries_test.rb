# frozen_string_literal: true

require "test_helper"
require "streamer/sinks/upstream_call"
require "support/contexts"
require "active_support"
require "active_support/isolated_execution_state"
require "active_support/notifications"
require "time"

# What is sent again, when, and what never is.
module RetriesTests
  QUICK = Streamer::RetryPolicy.new(max_retries: 3, base_delay: 0.01, max_delay: 0.05)

  def setup
    @answers = Thread::Queue.new
    @server = upstream { |exchange| @answers.pop.call(exchange) }
    @client = Streamer::Client.new(@server.url, retries: QUICK)
    super
  end

  # What the upstream does, request by request; afterwards it answers well.
  def answers(*scripts) = [*scripts, *Array.new(5) { ->(exchange) { exchange.json({ ok: true }) } }].each { |script| @answers << script }

  def status(number, **headers) = ->(exchange) { exchange.json({ error: "no" }, status: number, headers: headers) }

  def asked = @server.requests.size

  def test_nothing_is_sent_again_unless_asked
    answers status(503)
    assert_equal 503, Streamer::Client.new(@server.url).get("/").status
    assert_equal 1, asked
  end

  # libcurl takes it for a connection that was closed while idle, which a request that may do harm must not rely on.
  def test_a_post_is_not_sent_again_when_a_reused_connection_closes_upon_it
    answers ->(exchange) { exchange.answer("warm") }, ->(exchange) { exchange.pause(0.05).close }
    client = Streamer::Client.new(@server.url)
    client.get("/").read
    error = assert_raises(Streamer::ClosedError) { client.post("/", body: "pay") }
    refute_predicate error, :delivered?
    assert_equal [1, 1], @server.requests.map(&:connection)
  end

  def test_refusals_are_tried_again_for_any_method
    answers status(429), status(503), status(500)
    assert_equal 200, @client.post("/", json: { a: 1 }).status
    assert_equal 4, asked
    assert_equal [{ "a" => 1 }], @server.requests.map { |request| JSON.parse(request.body) }.uniq
  end

  def test_other_statuses_are_answers
    answers status(404)
    assert_equal 404, @client.get("/").status
    assert_equal 1, asked
  end

  def test_the_last_answer_is_returned_when_all_attempts_were_refused
    answers(*Array.new(4) { status(503) })
    response = @client.get("/")
    assert_equal 503, response.status
    assert_equal({ "error" => "no" }, response.json)
    assert_equal 4, asked
  end

  def test_the_upstream_may_say_whether_it_makes_sense
    answers status(503, "x-should-retry": "false")
    assert_equal 503, @client.get("/").status
    answers
    assert_equal 1, asked
  end

  def test_a_connection_that_closed_without_an_answer_is_tried_again
    answers :close.to_proc, :reset.to_proc
    assert_equal 200, @client.post("/", body: "x").status
    assert_equal 3, asked
  end

  def test_a_post_is_not_sent_again_once_its_answer_began
    begun = ->(exchange) { exchange.raw("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n").close }
    answers begun
    assert_raises(Streamer::ClosedError) { @client.post("/", body: "x") }
    assert_equal 1, asked
    @answers.clear
    answers begun
    assert_equal 200, @client.get("/").status
    assert_equal 3, asked
  end

  def test_a_post_that_takes_too_long_is_not_sent_again_and_a_get_is
    slow = ->(exchange) { exchange.stall }
    answers slow
    assert_raises(Streamer::FirstEventTimeoutError) { @client.post("/", body: "x", timeouts: { first_event: 0.6 }) }
    assert_equal 1, asked
    @answers.clear
    answers slow
    assert_equal 200, @client.get("/", timeouts: { first_event: 0.6 }).status
  end

  def test_nobody_listening_is_tried_again_and_then_raised
    url = Upstream.refused_url
    took = seconds { assert_raises(Streamer::ConnectError) { Streamer::Client.new(url, retries: Streamer::RetryPolicy.new(max_retries: 2, base_delay: 0.2)).post("/", body: "x") } }
    assert_operator took, :>=, 0.3 # (0.1 to 0.2) + (0.2 to 0.4)
  end

  def test_retry_after_is_waited_in_seconds_or_milliseconds
    answers status(429, "retry-after": "0.3"), status(429, "retry-after-ms": "300", "retry-after": "50")
    assert_operator seconds { assert_equal 200, @client.get("/").status }, :>=, 0.6
  end

  def test_a_retry_after_that_is_too_long_is_not_waited
    answers status(429, "retry-after": "3600")
    assert_operator seconds { assert_equal 429, @client.get("/").status }, :<, 60
    assert_equal 1, asked
  end

  def test_the_total_timeout_spans_all_attempts
    answers(*Array.new(9) { status(503, "retry-after": "0.8") })
    client = Streamer::Client.new(@server.url, retries: 9, timeouts: { total: 2.2 })
    took = seconds { assert_equal 503, client.get("/").status }
    assert_operator took, :<, 5
    assert_operator asked, :<=, 3
  end

  def test_a_body_from_an_io_is_read_again_where_it_can_be
    answers status(503)
    assert_equal 200, @client.put("/", body: StringIO.new("whole")).status
    assert_equal %w[whole whole], @server.requests.map(&:body)
    @answers.clear
    answers status(503)
    pieces = ["once"]
    once = Object.new.tap { |body| body.define_singleton_method(:read) { |_length| pieces.shift } }
    assert_equal 503, @client.put("/", body: once).status
  end

  def test_a_get_whose_answer_breaks_before_anything_was_delivered_is_sent_again
    answers ->(exchange) { exchange.head.chunk(": hello\n\ndata: ha").close }, ->(exchange) { exchange.stream(["data: 1\n\n"]) }
    response = @client.get("/")
    assert_equal %w[1], response.each_event.map(&:data)
    assert_equal 2, asked
    @answers.clear
    answers ->(exchange) { exchange.head(type: "application/json").chunk("{\"a\":").close }
    assert_equal({ "ok" => true }, @client.get("/").json)
  end

  def test_a_refusal_in_place_of_an_answer_that_broke_is_not_read_as_its_body
    broken = ->(exchange) { exchange.head(type: "application/json").chunk("{").close }
    [:read, :json].each do |reader|
      answers broken, status(404)
      response = @client.get("/")
      assert_equal 200, response.status
      assert_equal 404, assert_raises(Streamer::ResponseError) { response.public_send(reader) }.status
      @answers.clear
    end
    answers broken, status(404)
    assert_raises(Streamer::ResponseError) { Streamer.gather(a: @client.request(:get, "/")) }
  end

  def test_what_was_delivered_is_not_asked_for_again
    answers ->(exchange) { exchange.head.chunk("data: 1\n\n").close }
    seen = []
    error = assert_raises(Streamer::ClosedError) { @client.get("/").each_event { |event| seen << event.data } }
    assert_equal [%w[1], 1, 1], [seen, error.delivered, asked]
  end

  def test_a_post_whose_answer_breaks_is_not_sent_again
    answers ->(exchange) { exchange.head.chunk(": hello\n\n").close }
    assert_raises(Streamer::ClosedError) { @client.post("/", body: "x").each_event.to_a }
    assert_equal 1, asked
  end

  def test_cancelling_the_response_ends_the_wait_for_another
    @client = Streamer::Client.new(@server.url, retries: Streamer::RetryPolicy.new(max_retries: 1, base_delay: 60, max_delay: 60))
    answers ->(exchange) { exchange.head.close }
    response = @client.get("/")
    reading, waits = nil, []
    with_notifications(->(name, _) { waits << name }) do
      reading = beside { response.each_event.to_a }
      wait_until { waits.any? }
      in_thread { response.cancel }.value
    end
    assert_operator seconds { assert_raises(Streamer::CancelledError) { reading.value } }, :<, 5
  end

  def test_an_error_of_the_block_is_no_reason_to_ask_again
    answers ->(exchange) { exchange.stream(["data: 1\n\n"]) }
    assert_raises(Streamer::ClosedError) { @client.get("/").each_event { raise Streamer::ClosedError, "another upstream" } }
    assert_equal 1, asked
  end

  def test_a_redirect_is_no_attempt
    answers ->(exchange) { exchange.redirect("/there") }, status(503)
    assert_equal 200, @client.get("/").status
    assert_equal %w[/ /there /there], @server.requests.map(&:path)
  end

  def test_a_sink_s_relay_is_tried_again_too
    answers status(503), ->(exchange) { exchange.openai(tokens: 1) }
    response = Streamer::Sinks::UpstreamCall.new(@client.request(:post, "/", body: "x")).response
    assert_equal 200, response.status
    assert_equal 2, response.each_event.count
  end

  def test_the_wait_between_two_attempts_can_be_cancelled_from_anywhere
    answers status(429, "retry-after": "30")
    call = Streamer::Sinks::UpstreamCall.new(@client.request(:get, "/"))
    waiting = beside { call.response }
    @server.wait_request
    sleep 0.1
    in_thread { call.cancel }.value
    took = seconds { assert_raises(Streamer::CancelledError) { waiting.value } }
    assert_operator took, :<, 5
  end

  def test_branches_of_a_merge_wait_side_by_side
    answers(*Array.new(5) { status(503, "retry-after": "2") })
    took = seconds { assert_equal 5, Streamer.gather((0...5).to_h { |number| [number, @client.request(:get, "/")] }).size }
    assert_operator took, :>=, 2
    assert_operator took, :<, 9
  end

  def test_a_merge_that_is_left_while_a_branch_waits_leaves_nothing
    answers status(503, "retry-after": "30")
    @server.on("/quick") { |exchange| @server.wait_request(2) && exchange.json({}) }
    took = seconds do
      Streamer.merge(waiting: @client.request(:get, "/"), quick: @client.request(:get, "/quick")) { |name, _| break assert_equal(:quick, name) }
    end
    assert_operator took, :<, 20
    assert_equal 2, asked
  end

  def test_retries_are_published
    answers :close.to_proc, status(503)
    published = []
    with_notifications(->(name, payload) { published << [name, payload] }) { @client.get("/secret?key=1") }
    assert_equal %w[retry.streamer retry.streamer], published.map(&:first)
    assert_equal [Streamer::ClosedError, 503], [published[0][1][:error].class, published[1][1][:status]]
    assert_equal [1, 2], published.map { |_, payload| payload[:attempt] }
    refute_match(/key/, published.map { |_, payload| payload[:request] }.join)
  end

  # --- the circuit ---

  def test_a_circuit_opens_after_failures_in_a_row_and_asks_nobody
    circuit = Streamer::CircuitBreaker.new(error_threshold: 2, error_timeout: 60)
    client = Streamer::Client.new(@server.url, circuit: circuit)
    answers status(500), status(200), status(500), status(503)
    4.times { client.get("/").read }
    error = assert_raises(Streamer::CircuitOpenError) { client.get("/") }
    assert_equal 4, asked
    assert_equal :open, circuit.state(@server.url)
    assert_equal @server.url, error.origin
    assert_operator error.retry_in, :>, 30
  end

  def test_one_probe_is_let_through_and_closes_it_or_opens_it_again
    states = []
    circuit = Streamer::CircuitBreaker.new(error_threshold: 1, error_timeout: 0.3)
    release = Thread::Queue.new
    client = Streamer::Client.new(@server.url, circuit: circuit)
    held = ->(exchange) { release.pop && exchange.json({}, status: 500) }
    answers status(500), held
    with_notifications(->(_, payload) { states << payload[:state] }) do
      client.get("/")
      wait_until { circuit.state(@server.url) == :half_open }
      probe = beside { client.get("/").status }
      @server.wait_request(2)
      assert_raises(Streamer::CircuitOpenError) { client.get("/") }
      release << true
      assert_equal 500, probe.value
      assert_raises(Streamer::CircuitOpenError) { client.get("/") }
      wait_until { circuit.state(@server.url) == :half_open }
      assert_equal 200, client.get("/").status
    end
    assert_equal :closed, circuit.state(@server.url)
    assert_equal %i[open half_open open half_open closed], states
  end

  def test_a_cancelled_probe_leaves_the_next_one_its_chance
    circuit = Streamer::CircuitBreaker.new(error_threshold: 1, error_timeout: 0.1)
    client = Streamer::Client.new(@server.url, circuit: circuit)
    answers status(500), :stall.to_proc
    client.get("/")
    wait_until { circuit.state(@server.url) == :half_open }
    call = Streamer::Sinks::UpstreamCall.new(client.request(:get, "/"))
    probe = beside { call.response }
    @server.wait_request(2)
    call.cancel
    assert_raises(Streamer::CancelledError) { probe.value }
    assert_equal 200, client.get("/").status
  end

  def test_an_open_circuit_ends_the_attempts
    circuit = Streamer::CircuitBreaker.new(error_threshold: 2, error_timeout: 60)
    answers(*Array.new(4) { status(503) })
    assert_raises(Streamer::CircuitOpenError) { Streamer::Client.new(@server.url, retries: QUICK, circuit: circuit).get("/") }
    assert_equal 2, asked
  end

  def test_wrong_arguments_are_named
    assert_match(/max_retries.*-1/, assert_raises(ArgumentError) { Streamer::RetryPolicy.new(max_retries: -1) }.message)
    assert_match(/max_delay/, assert_raises(ArgumentError) { Streamer::RetryPolicy.new(max_delay: nil) }.message)
    assert_match(/retries.*"2"/, assert_raises(ArgumentError) { Streamer::Client.new(@server.url, retries: "2") }.message)
    assert_match(/circuit.*Integer/, assert_raises(ArgumentError) { Streamer::Client.new(@server.url, circuit: 5) }.message)
    assert_match(/error_threshold/, assert_raises(ArgumentError) { Streamer::CircuitBreaker.new(error_threshold: 0) }.message)
  end

  private

  def with_notifications(listener, &block)
    ActiveSupport::Notifications.subscribed(->(name, _, _, _, payload) { listener.call(name, payload) }, /\.streamer\z/, &block)
  end
end

class RetriesOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include RetriesTests

  def test_waits_grow_up_to_a_ceiling_and_are_spread
    retries = Streamer::RetryPolicy.new(base_delay: 1, max_delay: 8)
    { 0 => 0.5..1, 1 => 1..2, 2 => 2..4, 3 => 4..8, 9 => 4..8, 5000 => 4..8 }.each do |attempts, range|
      waits = Array.new(50) { retries.back_off(attempts) }
      waits.each { |wait| assert_includes range, wait }
      assert_operator waits.uniq.size, :>, 25
    end
  end

  def test_retry_after_is_waited_until_a_date
    answers status(503, "retry-after": (Time.now + 2).httpdate)
    assert_operator seconds { assert_equal 200, @client.get("/").status }, :>=, 0.5
  end

  def test_a_timeout_or_a_kill_ends_the_wait_between_two_attempts
    answers status(429, "retry-after": "30"), status(429, "retry-after": "30")
    assert_raises(Timeout::Error) { Timeout.timeout(0.6) { @client.get("/") } }
    thread = Thread.new { @client.get("/") }
    @server.wait_request(2)
    assert_operator seconds { thread.kill.join }, :<, 5
  end
end

class RetriesInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include RetriesTests
end

class RetriesInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include RetriesTests

  def test_a_stopped_task_or_its_timeout_ends_the_wait_between_two_attempts
    answers status(429, "retry-after": "30"), status(429, "retry-after": "30")
    assert_raises(Async::TimeoutError) { Async::Task.current.with_timeout(0.6) { @client.get("/") } }
    task = Async { @client.get("/") }
    @server.wait_request(2)
    assert_operator seconds { task.stop }, :<, 5
    assert_predicate task, :stopped?
  end
end
