# frozen_string_literal: true

require "test_helper"
require "active_support"
require "active_support/notifications"
require "support/error_reports"
require "support/upstream"

# The registry of relay_events streams and the thread of their callbacks, in this process and without a server.
class RegistryTest < Minitest::Test
  include ErrorReports

  # What relay_events was asked for, as far as a stream wants to know. Whatever it is told goes into `told`.
  class Job
    attr_reader :key, :told, :on_text

    def initialize(key = "k", on_finish: nil, on_text: nil)
      @key, @on_finish = key, on_finish
      @told = Thread::Queue.new
      @on_text = on_text
    end

    def options = Streamer::Relay::Options.new(value: "choices.0.delta.content", collect: 10_000)
    def every = 0.02
    def first_event? = true
    def outlives_browser? = false
    def terminal = nil
    def closing_frame(_seconds) = "event: closing\ndata:\n\n"
    def last_frames(result) = "event: #{result.status}\ndata:\n\n"
    def tell_first_event(_seconds) = told << :first
    def tell_text(text) = on_text.call(text)

    def finish(result)
      told << result
      @on_finish&.call
    end
  end

  def setup
    @upstream = Upstream.new { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    @browsers = []
  end

  def teardown
    @browsers.each(&:close)
    @upstream.stop
    deadline = Upstream.now + 20
    sleep 0.005 while Streamer::Relay::Registry.size.positive? && Upstream.now < deadline

    assert_equal 0, Streamer::Relay::Registry.size, "streams are left"
  end

  def test_it_is_there_until_its_last_callback_has_returned
    gate = Thread::Queue.new
    job = Job.new(on_finish: -> { gate.pop })
    start(job)
    assert_equal :first, take(job)
    Streamer::Relay::Registry.stop("k")
    result = take(job)

    assert_equal [:cancelled, :stopped, "t0 "], [result.status, result.reason, result.text]
    assert_equal 1, Streamer::Relay::Registry.size
    gate << true
  end

  def test_streams_with_one_key_are_stopped_together_and_others_are_not
    same = [Job.new("same"), Job.new("same")]
    other = Job.new("other")
    [*same, other].each { |job| start(job) && take(job) }

    assert Streamer::Relay::Registry.stop("same")
    assert_equal [:stopped, :stopped], same.map { |job| take(job).reason }
    assert_empty other.told
    assert Streamer::Relay::Registry.stop("other")
    assert_equal :stopped, take(other).reason
    refute Streamer::Relay::Registry.stop("none")
  end

  def test_stopping_twice_is_one_end
    job = Job.new
    start(job)
    take(job)
    Array.new(4) { Thread.new { Streamer::Relay::Registry.stop("k") } }.each(&:join)
    take(job)
    sleep 0.05

    assert_empty job.told
  end

  # While the thread of the callbacks is busy elsewhere, an answer that is not the last one waits for it.
  def test_stopped_behind_a_redirect_or_a_refusal_it_is_stopped_and_has_not_failed
    answers = { "/moved" => ->(exchange) { exchange.redirect("/") }, "/busy" => ->(exchange) { exchange.answer("", status: 503) } }
    answers.each do |path, answer|
      @upstream.on(path, &answer)
      job = Job.new
      stream, = stream(job, @upstream.url(path), retries: 2)
      stream.relay.start.wait
      stream.stop(:stopped)

      assert_nil stream.advance
      stream.conclude
      stream.finish
      assert_equal [:cancelled, :stopped], take(job).then { |result| [result.status, result.reason] }
    end
    assert_equal answers.keys, @upstream.requests.map(&:path)
  end

  # Not the thread that stops it: that may be anybody's, and hold anything.
  def test_stopped_between_two_attempts_its_callbacks_run_on_their_own_thread_and_nothing_more_is_sent
    @upstream.on("/busy") { |exchange| exchange.answer("", status: 503, headers: { "retry-after" => "30" }) }
    threads = Thread::Queue.new
    job = Job.new(on_finish: -> { threads << Thread.current.name })
    waits = paused(job)
    assert Streamer.stop("k")

    assert_equal [:cancelled, :stopped, 0], take(job).then { |result| [result.status, result.reason, result.timings[:frames]] }
    assert_equal "streamer-callbacks", threads.pop
    assert_equal [1, 1], [waits.size, @upstream.requests.size]
    assert_operator 1, :>=, @upstream.connections
  end

  def test_a_subscriber_of_a_retry_may_stop_streams
    @upstream.on("/busy") { |exchange| exchange.answer("", status: 503, headers: { "retry-after" => "30" }) }
    job = Job.new
    ActiveSupport::Notifications.subscribed(->(*) { Streamer.stop("k") }, "retry.streamer") { paused(job) }

    assert_equal [:cancelled, :stopped], take(job).then { |result| [result.status, result.reason] }
  end

  def test_a_subscriber_of_a_circuit_may_stop_streams
    @upstream.on("/busy") { |exchange| exchange.answer("", status: 503, headers: { "retry-after-ms" => "1" }) }
    circuit = Streamer::CircuitBreaker.new(error_threshold: 1, error_timeout: 0.05)
    states = []
    stopping = ->(*, payload) { (states << payload[:state]) && Streamer.stop("k") }
    results = ActiveSupport::Notifications.subscribed(stopping, "circuit.streamer") do
      2.times.map do
        job = Job.new
        Streamer::Relay::Registry.start(stream(job, @upstream.url("/busy"), retries: 2, circuit: circuit).first)
        take(job).tap { sleep 0.06 }
      end
    end

    assert_equal [[:cancelled, :stopped]] * 2, results.map { |result| [result.status, result.reason] }
    assert_includes states, :half_open
  end

  def test_a_callback_that_raises_whatever_it_is_is_reported_and_harms_nobody
    [RuntimeError, NotImplementedError, SystemExit].each do |type|
      job = Job.new(on_finish: -> { raise type, "a callback's own" })
      reports = reported do
        start(job)
        take(job)
        Streamer::Relay::Registry.stop("k")
        take(job)
      end

      assert_equal [type], reports.map(&:class)
    end
    job = Job.new
    start(job)

    assert_equal :first, take(job)
    Streamer::Relay::Registry.stop("k")
  end

  def test_the_native_thread_has_a_name
    skip "there is no /proc here" unless File.directory?("/proc/self/task")
    job = Job.new
    start(job)
    take(job)

    names = Dir["/proc/self/task/*/comm"].filter_map do |path|
      File.read(path).chomp
    rescue SystemCallError
      nil # that thread has ended
    end

    assert_includes names, "streamer"
    Streamer::Relay::Registry.stop("k")
  end

  def test_a_stream_that_cannot_be_started_is_not_there
    broken = Struct.new(:key) { def relay = raise(IOError, "broken") }.new("broken")

    assert_raises(IOError) { Streamer::Relay::Registry.start(broken) }
    assert_equal 0, Streamer::Relay::Registry.size
  end

  def test_text_comes_in_batches_and_the_tail_before_the_end
    texts = []
    job = Job.new(on_text: ->(text) { texts << text })
    @upstream.on("/") { |exchange| exchange.openai(tokens: 30, every: 0.005) }
    start(job)
    take(job)
    result = take(job)

    assert_equal result.text, texts.join
    assert_includes 2..29, texts.size
  end

  # Otherwise its first tokens could wait for Ruby.
  def test_the_request_is_sent_when_its_relay_is_there
    @upstream.on("/") { |exchange| exchange.openai(tokens: 3) }
    job = Job.new
    stream = stream(job, @upstream.url("/")).first
    sleep 0.05
    assert_empty @upstream.requests
    Streamer::Relay::Registry.start(stream)

    assert_equal [:first, "t0 t1 t2 "], [take(job), take(job).text]
  end

  def test_a_browser_that_is_far_behind_holds_up_nobodys_callbacks
    flood = Upstream.new do |exchange|
      exchange.head
      60.times { |number| exchange.chunk(Upstream.token(number, "x" * 20_000)) }
      exchange.close
    end
    slow = Job.new("slow")
    pauses = Streamer.stats[:pauses]
    start(slow, flood.url)
    take(slow)
    sleep 0.005 until Streamer.stats[:pauses] > pauses # its browser reads nothing, and more than the high-water mark waits
    Streamer::Relay::Registry.stop("slow")
    stopped = Upstream.now
    assert_equal :cancelled, take(slow).status

    assert_operator Upstream.now - stopped, :<, 10
  ensure
    flood&.stop
  end

  def test_drain_tells_waits_and_stops
    in_child do
      job = Job.new
      browser = start(job)
      take(job)
      before = Upstream.now
      Streamer::Relay::Registry.drain(0.2)
      took = Upstream.now - before
      late = Job.new("late")
      [browser.read[/event: closing/], took.between?(0.2, 10), take(job).reason, Streamer::Relay::Registry.size, start(late).readpartial(60)]
    end => [closing, in_time, reason, left, told]

    assert_equal ["event: closing", true, :shutdown, 0], [closing, in_time, reason, left]
    assert_includes told, "event: closing"
  end

  def test_a_forked_child_has_streams_and_callbacks_of_its_own
    parents = Job.new("parents")
    start(parents)
    take(parents)
    childs = in_child do
      job = Job.new("childs")
      start(job)
      first = take(job)
      reached = Streamer::Relay::Registry.stop("parents")
      Streamer::Relay::Registry.stop("childs")
      [Streamer::Relay::Registry.size, first, reached, take(job).status]
    end

    assert_equal [1, :first, false, :cancelled], childs
    assert_empty parents.told
    assert Streamer::Relay::Registry.stop("parents")
    assert_equal :cancelled, take(parents).status
  end

  private

  # The browser's end of a new stream.
  def start(job, url = @upstream.url("/"))
    stream, browser = stream(job, url)
    Streamer::Relay::Registry.start(stream)
    browser
  end

  # A stream that was refused and waits for its next attempt; the notifications of it.
  def paused(job)
    waits = []
    ActiveSupport::Notifications.subscribed(->(*, payload) { waits << payload }, "retry.streamer") do
      Streamer::Relay::Registry.start(stream(job, @upstream.url("/busy"), retries: 2).first)
      sleep 0.002 while waits.empty?
    end
    waits
  end

  # A stream whose request is sent, and the browser's end of it.
  def stream(job, url, **options)
    browser, server = UNIXSocket.pair
    @browsers << browser
    client = Streamer::BrowserSocket.new(server, chunked: false, heartbeat: nil)
    server.close
    [Streamer::Relay::Detached.new(client, Streamer::Request.new("GET", url, **options), job), browser]
  end

  # What was reported to the application while the block ran and until its streams were gone.
  def reported
    super do
      yield
      sleep 0.005 while Streamer::Relay::Registry.size.positive?
    end
  end

  def take(job)
    deadline = Upstream.now + 20
    sleep 0.002 while job.told.empty? && Upstream.now < deadline
    job.told.pop(true)
  end

  # The block's value, from a forked process.
  def in_child
    reader, writer = IO.pipe
    pid = fork do
      reader.close
      writer.write(Marshal.dump(yield))
    rescue StandardError => error
      writer.write(Marshal.dump(error.full_message))
    ensure
      writer.close
      exit!(0)
    end
    writer.close
    assert reader.wait_readable(60), "the child said nothing"
    Marshal.load(reader.read)
  ensure
    reader.close
    Process.kill(:KILL, pid) unless Process.wait(pid, Process::WNOHANG)
  end
end
