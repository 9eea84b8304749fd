# frozen_string_literal: true

require "support/relay_case"

# Browsers that read slowly, not at all, or are there no more without a word.
module SlowReaderTests
  include RelayCase

  def test_a_slow_reader_pauses_its_upstream_and_nobody_else
    sent = []
    @upstream.on("/flood", &flood(sent))
    @upstream.on("/") { |exchange| exchange.openai(tokens: 20, every: 0.02) }
    slow = relay("/flood", heartbeat: 0).tap(&:next_event)
    delays = relay(note: "#{name}2").events.map(&:at).each_cons(2).map { |earlier, later| later - earlier }.sort

    assert_operator sent.sum, :<, 32 << 20 # the kernel's buffers are most of it
    assert_operator delays[delays.size / 2], :<, 0.5
    slow.leave
  end

  def test_a_reader_that_takes_nothing_is_dropped_with_a_reason
    @upstream.on("/", &flood)
    relay.next_event
    found = result

    assert_equal ["cancelled", "slow", "Streamer::BrowserDisconnectedError"], found.values_at("status", "reason", "error")
    assert @upstream.requests.last.wait_gone, "the upstream was not let go"
    assert_operator found["timings"]["duration"], :<, 15
  end

  def test_a_browser_whose_packets_are_lost_is_dropped_by_a_heartbeat
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = relay(heartbeat: 0.2).tap(&:next_event)
    client.vanish
    gone = @upstream.requests.last.wait_gone(20)

    assert gone, "the upstream was not let go"
    assert_equal ["cancelled", "slow"], result.values_at("status", "reason")
  end

  private

  # Writes without an end as fast as it may.
  def flood(sent = nil)
    lambda do |exchange|
      exchange.head
      line = Upstream.token(0, "x" * 10_000)
      loop do
        exchange.chunk(line)
        sent << line.bytesize if sent
      end
    end
  end
end

# Many browsers at once, slow ones among them, on a Puma with two threads.
class LoadTest < Minitest::Test
  include SlowReaderTests

  TOKENS = 40

  def server
    @@server ||= AppServer.new(:puma, threads: "2:2", variables: { "WRITE_TIMEOUT" => "1" })
                          .tap { |started| Minitest.after_run { started.stop } }
  end

  def setup
    super
    server
    relay(note: "warm").events # the native thread, its pool of connections and the callbacks' thread are there from now on
    result(note: "warm")
  end

  def test_300_at_once_on_two_threads_with_a_tenth_leaving
    before = settled
    source = Upstream.in_process { |exchange| exchange.openai(tokens: TOKENS, every: 0.1) }
    clients = Array.new(300) do |index|
      relay(upstream: source.url, note: "#{name}#{index}").tap { |client| client.next_event && client.leave if (index % 10).zero? }
    end
    answered = Upstream.now
    assert_equal "200", server.get("/plain/state").code
    answered = Upstream.now - answered
    leaving, staying = clients.each_with_index.partition { |_, index| (index % 10).zero? }
    texts = staying.map { |client, _| client.events.map { |event| event.type == "token" ? event.json["content"] : event.type }.join }

    assert_equal ["#{(0...TOKENS).map { |number| "t#{number} " }.join}done"], texts.uniq
    assert_operator answered, :<, 10
    statuses = [leaving, staying].map { |some| some.map { |_, index| result(note: "#{name}#{index}")["status"] }.uniq }
    assert_equal [["cancelled"], ["completed"]], statuses
    assert wait { browsers.zero? }, "sockets of browsers are left"
    assert_equal [0, before["threads"]], settled.values_at("streams", "threads")
  ensure
    source&.stop
  end

  def test_idle_streams_need_no_threads
    @upstream.on("/") { |exchange| exchange.head.stall }
    before = settled["threads"]
    clients = Array.new(60) { relay(note: nil) }
    clients.each(&:next)

    assert wait { state["streams"] == 60 }
    assert_equal before, state["threads"]
    clients.each(&:leave)
    assert wait { state["streams"].zero? }
  end

  private

  # Once the streams of an earlier test are gone.
  def settled
    wait { state["streams"].zero? }
    state
  end

  # Sockets that the server has open to browsers. (Connections to upstreams stay, to be used again.)
  def browsers
    File.readlines("/proc/net/tcp").count do |line|
      _, local, _, status = line.split
      local.end_with?(format(":%04X", server.port)) && %w[01 08].include?(status) # established, or closed by the browser alone
    end
  end
end

class FalconLoadTest < Minitest::Test
  include SlowReaderTests

  def server
    @@server ||= AppServer.new(:falcon, variables: { "WRITE_TIMEOUT" => "1" }).tap { |started| Minitest.after_run { started.stop } }
  end
end

# A process whose descriptors run out is degraded, not dead.
class DescriptorsTest < Minitest::Test
  include RelayCase

  FILES = 80

  def teardown
    super
    @server&.stop
  end

  # On Puma. Of Falcon an older version takes no connection any more once it had no descriptor for one.
  def server = @server ||= AppServer.new(:puma, files: FILES)

  def test_without_descriptors_open_streams_go_on_and_new_ones_do_once_there_are_some
    @upstream.on("/", &endless(every: 0.05))
    open = []
    failed = nil
    until failed || open.size > FILES
      client = attempt(open.size)
      client ? open << client : failed = true
    end

    assert failed, "#{open.size} streams, and descriptors are left"
    assert_operator open.size, :>, 5
    3.times { open.each { |one| assert_equal "token", one.next_event.type } }
    open.each(&:leave)
    wait(timeout: 60) { attempt("again") }
    open.size.times { |index| assert_equal "disconnected", result(note: "#{name}#{index}")["reason"] }
  end

  private

  # An open stream with its first token, or nil.
  def attempt(number)
    client = relay(note: "#{name}#{number}", heartbeat: 0.2, client: { timeout: 5 })
    client if client.next_event&.type == "token"
  rescue SSEClient::Late, SystemCallError, EOFError
    nil
  end
end
