# frozen_string_literal: true

require "test_helper"
require "async"
require "timeout"
require "support/contexts"
require "streamer/sinks/socket"
require "streamer/sinks/events"

# Requests that are cancelled at random points of their life, in every way that Ruby has: nothing is left behind, nobody hangs, another
# stream goes on as if nothing had happened, and the next request gets its own answer. STREAMER_CANCELLATIONS is the number of
# points for each of the worlds.
class CancellationSoakTest < Minitest::Test
  include Contexts::Common

  POINTS = Integer(ENV.fetch("STREAMER_CANCELLATIONS", "100"))
  WARM_UP = 40

  # Of a life, and the longest until it is cancelled in seconds.
  STAGES = { resolving: 0.006, connecting: 0.02, handshake: 0.008, stalled_handshake: 0.02, head: 0.03, body: 0.03, paused: 0.04,
             draining: 0.03 }.freeze

  # A hang would last until a timeout of a minute; the limit is for machines that have other things to do. What was measured is printed.
  HANG = 10.0

  def patience = 300 + POINTS

  def setup
    skip "reads /proc" unless File.directory?("/proc/self/fd")
    ca_file = Certificates.ca_file # before the fork, so that both sides have the same
    Certificates.server_certificate
    @plain = Upstream.in_process(&SCRIPT)
    @secure = Upstream.in_process(tls: true, &SCRIPT)
    @tls = { ca_file: ca_file }
    @random = Random.new(Minitest.seed)
    @lags = []
    @wrong = []
  end

  def teardown
    super
    [@plain, @secure].compact.each(&:stop)
  end

  SCRIPT = lambda do |exchange|
    stage, number = exchange.request.path.split("/").drop(1)
    case stage
    when "head" then exchange.slow_head(every: 0.001)
    when "body" then exchange.head.then { 0.step { |count| exchange.chunk("data: #{number} #{count}\n\n").pause(0.002) } }
    when "paused" then exchange.head.then { loop { exchange.chunk("data: #{number} #{"x" * 8192}\n\n" * 8) } }
    when "draining" then exchange.head.chunk("#{Upstream.token(0, number)}data: [DONE]\n\n").pause(0.02).finish
    else exchange.answer(number)
    end
  end

  def test_in_threads
    soak("threads", %i[timeout kill interrupt])
  end

  def test_in_tasks
    Sync { soak("tasks", %i[timeout with_timeout stop]) }
  end

  # A reactor of its own for each, which goes down with its thread.
  def test_threads_with_a_reactor
    soak("threads with a reactor", %i[kill_reactor interrupt_reactor])
  end

  private

  def soak(world, ways)
    Upstream.blackhole do |blackhole|
      @blackhole = blackhole
      points(WARM_UP, ways)
      @lags.clear
      before = state
      undisturbed { points(POINTS, ways) }
      after = settled(before)
      assert_empty @wrong
      assert_operator after[:descriptors], :<=, before[:descriptors] + 8, "descriptors: #{before} #{after}"
      assert_operator after[:threads], :<=, before[:threads] + 8, "threads: #{before} #{after}" # Ruby keeps some for reuse
    end
    report(world)
  end

  def report(world)
    sorted = @lags.sort
    median, most, last = [sorted[sorted.size / 2], sorted[(sorted.size * 0.99).to_i], sorted.last].map { |lag| lag * 1000 }
    puts format("\ncancelled in %s, %d points: until it was over p50 %.1f, p99 %.1f, max %.1f ms", world, sorted.size, median, most, last)
    assert_operator last, :<, HANG * 1000
  end

  def points(count, ways)
    count.times do |number|
      stage, longest = STAGES.to_a.sample(random: @random)
      way = ways.sample(random: @random)
      @lags << send(way, @random.rand(longest)) { life(stage, number) }
      assert_next_answer(number, stage == :handshake ? @secure : @plain, "#{stage}, #{way}")
    end
  end

  # --- lives; each would go on for longer than it is let ---

  def life(stage, number)
    case stage
    when :resolving then Streamer.get("http://nobody-#{number}.invalid/")
    when :connecting then Streamer.get(@blackhole)
    when :handshake then check(number, Streamer.get(@secure.url("/answer/#{number}"), tls: @tls, headers: { "connection" => "close" }).read)
    when :stalled_handshake then Streamer.get(@plain.url.sub("http:", "https:")) # it waits for the end of a line
    when :draining then relay(number)
    else
      Streamer.get(@plain.url("/#{stage}/#{number}")).each_event do |event|
        check(number, event.data[/\A\d+/])
        sleep 1 if stage == :paused
      end
    end
  rescue Streamer::ResolveError
    nil
  end

  # To a browser that is there and reads nothing.
  def relay(number)
    browser, ours = UNIXSocket.pair
    events = Streamer::Sinks::Events.new(Streamer::Sinks::Socket.new(ours, chunked: false, heartbeat: nil))
    events.relay(Streamer::Request.new("GET", @plain.url("/draining/#{number}")), value: "choices.0.delta.content", event: "token")
  ensure
    events&.close
    browser.close
  end

  def check(number, answer)
    @wrong << "#{number} got #{answer.inspect}" unless answer == number.to_s
  end

  def assert_next_answer(number, server, point)
    answer = Streamer.get(server.url("/answer/next-#{number}"), tls: @tls, timeouts: { total: 20 }).read
    assert_equal "next-#{number}", answer, "after #{point}"
  end

  # --- ways; each runs a life, ends it after so many seconds, and returns how long that took ---

  def timeout(seconds, &life) = over(seconds, Timeout::Error) { Timeout.timeout(seconds.clamp(0.0001, nil), &life) }

  def with_timeout(seconds, &life)
    over(seconds, Async::TimeoutError) { Async::Task.current.with_timeout(seconds, &life) }
  end

  # As Ctrl-C does, in the main thread.
  def interrupt(seconds, &life)
    sent = nil
    sender = Thread.new do
      sleep seconds
      sent = now
      Process.kill(:INT, Process.pid)
    end
    begin
      life.call
      sleep
    rescue Interrupt
      now - sent
    end
  ensure
    sender.join
  end

  def kill(seconds, &life)
    thread = Thread.new(&life)
    sleep seconds
    ended { thread.kill.join }
  end

  def stop(seconds, &life)
    task = Async(&life)
    sleep seconds
    ended do
      task.stop
      task.wait
    end
  end

  def kill_reactor(seconds, &life)
    kill(seconds) { Sync(&life) }
  end

  def interrupt_reactor(seconds, &life)
    thread = Thread.new { Sync(&life) }
    thread.report_on_exception = false
    sleep seconds
    ended do
      thread.raise(Interrupt)
      thread.join
    rescue Interrupt
      nil
    end
  end

  def over(seconds, error)
    started = now
    yield
    0
  rescue error
    [now - started - seconds, 0].max
  end

  def ended
    started = now
    yield
    now - started
  end

  # A stream beside it all loses nothing.
  def undisturbed
    counted = []
    response = Streamer.get(@plain.url("/body/7"))
    reader = beside { response.each_event { |event| counted << event.data } }
    begin
      yield
    ensure
      response.cancel
    end
    assert_raises(Streamer::CancelledError) { reader.value }
    assert_operator counted.size, :>, 10
    assert_equal Array.new(counted.size) { |count| "7 #{count}" }, counted
  end

  # The state, once what is about to end has ended: a name server may take its time for somebody who has left.
  def settled(before)
    deadline = now + 30
    after = state
    after = state while after.any? { |what, count| count > before[what] + 8 } && now < deadline
    after
  end

  def state
    2.times { GC.start }
    sleep 0.2
    { descriptors: Dir.children("/proc/self/fd").size,
      threads: Upstream.without_scheduler { File.read("/proc/self/status") }[/^Threads:\s+(\d+)/, 1].to_i }
  end
end
