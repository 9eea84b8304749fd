# frozen_string_literal: true

require "support/http2_client"
require "support/relay_case"

# From a process's first stream to its last: signals, restarts, reloading. A server for each test, for it ends there.
class LifeTest < Minitest::Test
  include RelayCase

  PLUGIN = "plugin :streamer\n"

  # On Ruby 3.3 one Puma worker in ten does not end after SIGTERM, also with nothing but a Rack application of one line; Puma kills it
  # then, after 30 seconds if nobody says otherwise.
  CLUSTER = "#{PLUGIN}worker_shutdown_timeout 6\n".freeze

  def teardown
    super
    @server&.stop
  end

  def server(kind = :puma, drain: 1.5, **options)
    @server ||= AppServer.new(kind, config: kind == :puma_cluster ? CLUSTER : PLUGIN, variables: { "DRAIN" => drain.to_s }, **options)
  end

  def test_at_sigterm_streams_are_told_finish_in_time_and_other_requests_end
    server(drain: 60)
    @upstream.on("/", &held)
    clients = Array.new(5) { |index| relay(note: "#{name}#{index}").tap(&:next_event) }
    slow = server.stream("/streams/late?wait=0.4")
    server.signal(:TERM)

    assert_equal ["closing"], clients.map { |client| client.next_event.type }.uniq
    @let_go = true
    assert_equal ["late"], slow.events.map(&:data)
    clients.each { |client| assert_equal [*["token"] * 11, "done"], client.events.map(&:type) }
    assert server.wait_end, "it still runs"
    assert_equal ["completed"], Array.new(5) { |index| result(note: "#{name}#{index}")["status"] }.uniq
  end

  def test_streams_that_do_not_finish_end_with_the_drain
    server(drain: 0.5)
    @upstream.on("/", &endless(every: 0.02))
    client = relay.tap(&:next_event)
    server.signal(:TERM)
    told = Upstream.now
    events = client.events

    assert_includes events.map(&:type), "closing"
    assert_equal "token", events.last.type # and no terminal event: the browser is to come back
    assert_predicate client, :clean?
    assert_includes 0.4..15, Upstream.now - told
    assert server.wait_end, "it still runs"
    assert_equal %w[cancelled shutdown], result.values_at("status", "reason")
    assert_operator result["text"], :start_with?, "0 ......"
  end

  def test_without_the_plugin_the_exit_handler_tells_the_browsers
    server(config: "force_shutdown_after 3\n", drain: 0.5) # or Puma waits for its threads for ever, longer than the upstream may be idle
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay.tap(&:next_event)
    server.signal(:TERM)
    events = client.events

    assert_equal ["closing"], events.map(&:type), "#{events.inspect}\n#{server.log}"
    assert server.wait_end, "it still runs"
    assert_equal %w[cancelled shutdown], result.values_at("status", "reason")
  end

  def test_at_sigint_streams_are_told_and_finish_in_time_too
    server(drain: 0.3)
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay.tap(&:next_event)
    server.signal(:INT)

    assert_equal ["closing"], client.events.map(&:type)
    assert server.wait_end, "it still runs"
  end

  def test_a_second_sigint_ends_streams_at_once
    server(drain: 60)
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay.tap(&:next_event)
    server.signal(:INT)
    wait { server.log.include?("Ctrl-C ends them now") }

    assert_equal "closing", client.next_event.type
    server.signal(:INT)
    assert_nil client.next_event
    assert server.wait_end, "it still runs"
    assert_equal %w[cancelled shutdown], result.values_at("status", "reason")
  end

  def test_without_streams_the_process_ends_at_once
    server(drain: 60)
    relay.events
    result
    server.signal(:TERM)

    assert server.wait_end, "it still runs"
  end

  def test_a_hot_restart_tells_the_browsers_before_it_replaces_the_process
    server(drain: 0.4)
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay.tap(&:next_event)
    server.signal(:USR2)

    assert_equal ["closing"], client.events.map(&:type)
    assert_equal %w[cancelled shutdown], result.values_at("status", "reason")
    assert wait(timeout: 60) { again? }, "the restarted server does not answer"
  end

  def test_a_phased_restart_drains_each_worker_while_others_serve
    server(:puma_cluster, preload: false, drain: 60)
    @upstream.on("/") { |exchange| exchange.openai(tokens: 12, every: 0.05) }
    clients = Array.new(4) { |index| relay(note: "#{name}#{index}").tap(&:next_event) }
    before = Array.new(12) { state["pid"] }.uniq
    server.signal(:USR1)
    events = clients.map(&:events)

    assert_equal [11], events.map { |of_one| of_one.count { |event| event.type == "token" } }.uniq
    assert_equal ["done"], events.map { |of_one| of_one.last.type }.uniq
    assert(wait(timeout: 60) { again? && !before.include?(state["pid"]) })
    assert_equal %w[token token token done], relay(upstream: short.url).events.map(&:type)
  ensure
    @short&.stop
  end

  def test_a_cluster_with_preload_app_ends_in_time
    server(:puma_cluster, drain: 0.5)
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    clients = Array.new(4) { |index| relay(note: "#{name}#{index}").tap(&:next_event) }
    server.signal(:TERM)

    assert_equal [["closing"]], clients.map { |client| client.events.map(&:type) }.uniq
    assert server.wait_end, "it still runs"
    assert_equal ["shutdown"], Array.new(4) { |index| result(note: "#{name}#{index}")["reason"] }.uniq
  end

  def test_browsers_come_back_spread_over_time
    server(drain: 0.3)
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    clients = Array.new(12) { |index| relay(note: "#{name}#{index}").tap(&:next_event) }
    server.signal(:TERM)
    moments = clients.map { |client| Integer(client.events.last.retry) }

    assert(moments.all? { |milliseconds| milliseconds.between?(1000, 6000) }, moments.inspect)
    assert_operator moments.max - moments.min, :>, 1000
    assert_operator moments.uniq.size, :>, 8
  end

  def test_falcon_tells_its_browsers_at_sigint
    server(:falcon, config: nil, drain: 0.5, graceful: 20)
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay.tap(&:next_event)
    server.signal(:INT)
    closing = client.next_event

    assert_equal "closing", closing.type
    assert_includes 1000..6000, Integer(closing.retry)
    assert_nil client.next_event
    assert_predicate client, :clean?
    assert server.wait_end, "it still runs"
    assert_equal %w[cancelled shutdown], result.values_at("status", "reason")
    assert_equal 1, results
    assert @upstream.requests.last.wait_gone, "the upstream was not let go"
  end

  # Falcon stops what sends an HTTP/2 stream's body together with its event loop.
  def test_falcon_cuts_streams_over_http_2_and_ends_each_once
    server(:falcon, config: nil, drain: 0.5, graceful: 20)
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    HTTP2Client.open(server.port) do |client|
      response = client.get("/relays/show?#{URI.encode_www_form(upstream: @upstream.url("/"), note: name)}")
      2.times { response.body.read } # the first comment, and the token
      server.signal(:INT)
      begin
        assert_nil response.body.read
      rescue Protocol::HTTP2::Error
        nil # the newer one resets it
      end
    end

    assert server.wait_end, "it still runs"
    assert_equal "cancelled", result["status"]
    assert_equal 1, results
    assert @upstream.requests.last.wait_gone, "the upstream was not let go"
  end

  def test_a_stream_that_finishes_in_falcons_time_is_complete
    server(:falcon, config: nil, drain: 20, graceful: 20)
    @upstream.on("/", &held)
    client = relay.tap(&:next_event)
    server.signal(:INT)

    assert_equal "closing", client.next_event.type
    @let_go = true
    assert_equal [*["token"] * 11, "done"], client.events.map(&:type)
    assert_equal "completed", result["status"]
  end

  # A newer Falcon takes it for SIGINT; an older one ends its connections before anybody's code is asked.
  def test_falcon_at_sigterm_ends_each_stream_once
    server(:falcon, config: nil, drain: 0.5, graceful: 20)
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay.tap(&:next_event)
    server.signal(:TERM)
    events = client.events.map(&:type)

    assert server.wait_end, "it still runs"
    assert_includes [[["closing"], "shutdown"], [[], "cancelled"]], [events, result["reason"]]
    assert_equal 1, results
    assert @upstream.requests.last.wait_gone, "the upstream was not let go"
  end

  private

  # A token, and 11 more with an end once it is let go.
  def held
    lambda do |exchange|
      exchange.head.chunk(Upstream.token(0))
      exchange.pause(0.01) until @let_go
      (1..11).each { |number| exchange.chunk(Upstream.token(number)) }
      exchange.chunk("data: [DONE]\n\n").finish
    end
  end

  def short = @short ||= Upstream.new { |exchange| exchange.openai(tokens: 3) }

  def again?
    server.get("/up").code == "200"
  rescue SystemCallError, IOError, Net::OpenTimeout, Net::ReadTimeout
    false
  end
end
