# frozen_string_literal: true

require "test_helper"
require "support/error_reports"
require "support/scheduler"
require "support/patience"
require "support/upstream"
require "timeout"

# An upstream's answer in a log: Log#relay and Writer#relay, on a real upstream and the store in memory.
class RelayIntoTest < Minitest::Test
  include ErrorReports
  include Patience

  VALUE = "choices.0.delta.content"
  TEXT = ["He", "l\u00e9", "", "\u{1F600}\n", "\"quoted\"", " the end"].freeze

  # A store whose appends wait at a gate, and whose clock and wakes are the test's.
  class Gated < Streamer::Stores::Memory
    attr_accessor :deaf, :now

    def initialize
      @now = 0.0
      super(clock: -> { @now + Process.clock_gettime(Process::CLOCK_MONOTONIC) })
      @gate = Thread::Queue.new
      @shut = false
    end

    def shut = @shut = true

    def open
      @shut = false
      @gate.close
    end

    def append(appends)
      @gate.pop if @shut
      super
    end

    def wake(keys)
      super unless deaf
    end
  end

  def setup
    @store = Streamer::Log.store = Gated.new
    @log = Streamer::Log.create
    @upstream = Upstream.new { |exchange| answer(exchange, TEXT) }
  end

  def teardown
    @store.open
    @upstream.stop
    wait { !Streamer::Relay::Registry.size.positive? }
    Streamer::Log.store = nil
  end

  # ---- what is in the log ----

  def test_text_is_byte_exact_in_entries_pieces_and_result_and_the_close_says_so
    result = relay

    assert_equal([:completed, TEXT.join], [result.status, result.text])
    assert_equal(TEXT, contents)
    assert_log("completed", TEXT.join)
    assert_equal(%w[attempt] + (["token"] * TEXT.size) + %w[done], entries.map(&:type))
  end

  def test_a_hash_of_values_is_taken_as_it_is_and_its_content_is_the_text
    @upstream.on("/") do |exchange|
      exchange.stream([{ r: "a", t: "x" }, { r: "b" }, { t: 7 }, { t: "y" }].map { |data| "data: #{JSON.generate(data)}\n\n" })
    end
    relay(value: { role: "r", content: "t" }, event: "part")

    assert_equal([{ "role" => "a", "content" => "x" }, { "role" => "b" }, { "content" => 7 }, { "content" => "y" }], data.map(&:json))
    assert_log("completed", "xy")
    assert_equal(%w[1-2 1-3], Streamer::Log::Frames.entries(@store.text(@log.key).map(&:events).join).map(&:id))
  end

  def test_events_pass_through_and_those_named_as_the_logs_own_are_the_upstreams
    @upstream.on("/") do |exchange|
      exchange.stream(["id: 7\ndata: {\"content\":\"a\"}\n\n", "event: done\ndata: {\"content\":\"b\"}\n\n", "event: mine\ndata: no\ndata: json\n\n",
                       "event: attempt\ndata: {}\n\n", "data: [DONE]\n\n"])
    end
    relay(value: nil)

    assert_equal(%w[message upstream.done mine upstream.attempt], data.map(&:type))
    assert_equal(%w[1-1 1-2 1-3 1-4], data.map(&:id))
    assert_equal("no\njson", data[2].data)
    assert_log("completed", "ab")
  end

  def test_a_body_of_text_is_the_logs_text
    @upstream.on("/") { |exchange| exchange.answer("one\n\ntwo {\"content\":1}\n") }
    relay(value: nil)

    assert_log("completed", "one\n\ntwo {\"content\":1}\n")
    assert_equal(["token"], data.map(&:type).uniq)
  end

  def test_steps_in_one_attempt_go_on_with_ids_and_text
    @log.write do |out|
      out << "first "
      steps = [out.relay(request, value: VALUE), out.relay(Streamer.get(@upstream.url("/")), value: VALUE)]
      out.state("over")

      assert_equal([:completed] * 2, steps.map(&:status))
    end

    assert_log("completed", "first #{TEXT.join * 2}")
    assert_equal((0...entries.size).map { |number| "1-#{number}" }, entries.map(&:id))
  end

  def test_an_attempt_that_continues_counts_the_text_of_the_one_before
    @upstream.on("/") { |exchange| exchange.stream(["data: {\"content\":\"a\\ud83d\"}\n\n", "event: x\ndata: {\"content\":\"b\"}\n\n"]) }
    @log.relay(request, value: nil, interrupted: :release) { |result| assert_equal(:completed, result.status) }
    second = Streamer::Log.create
    second.claim.tap { |writer| writer.relay(request, value: nil) && writer.release }
    second.relay(request, value: nil, mode: "continue")

    assert_equal("a\u{FFFD}b" * 2, second.text)
    assert_equal(Digest::SHA256.hexdigest(second.text), close_of(second).json["sha256"])
  end

  # ---- what is refused ----

  def test_what_a_log_cannot_be_is_refused_with_the_way_out
    { frame: :raw, id_prefix: "a", id_start: 2, flush: { every: 1 }, terminal: nil, on_disconnect: :cancel, event: "done", close: 1,
      interrupted: :maybe, on_text: 1, nonsense: 1 }.each do |name, value|
      error = assert_raises(ArgumentError, name.to_s) { relay(**{ name => value }) }

      assert_match(/#{name}|content|log's own/, error.message)
    end
    assert_predicate(@log.head, :queued?)
    assert_empty(@upstream.requests)
  end

  def test_where_another_attempt_is_at_work_nothing_is_sent
    writer = @log.claim

    assert_nil(relay)
    assert_empty(@upstream.requests)
    writer.close

    assert_nil(relay)
  end

  def test_nobody_else_adds_entries_while_an_upstream_does
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    writer = @log.claim
    thread = Thread.new { writer.relay(request, value: VALUE) }
    wait { @log.entries.size == 2 }

    assert_raises(Streamer::LogError) { writer.append({ content: "x" }) }
    Streamer.stop(@log.key)

    assert_equal(:stopped, thread.value.reason)
    writer << "again"
    writer.close

    assert_equal("t0 again", @log.text)
  end

  # ---- how an answer fails ----

  def test_cut_at_every_event_what_had_come_is_kept_and_the_log_has_failed
    TEXT.size.times do |count|
      @upstream.on("/#{count}") { |exchange| exchange.head && TEXT.first(count).each { |text| exchange.chunk(frame(text)) } && exchange.close }
      log = Streamer::Log.create
      result = log.relay(request("/#{count}"), value: VALUE)

      assert_equal(%i[failed closed], [result.status, result.reason], "cut after #{count}")
      assert_equal(TEXT.first(count).join, log.text)
      assert_equal(["failed", "closed"], close_of(log).then { |close| [close.state, close.json["error"]] })
      assert_equal(log.text.bytesize, close_of(log).json["length"])
    end
  end

  def test_the_message_of_a_close_is_not_the_errors_own
    @upstream.on("/") { |exchange| exchange.answer("the key sk-1 is wrong", status: 401) }
    result = relay

    assert_match(/sk-1/, result.error.message)
    assert_equal({ "error" => "response", "message" => Streamer::Log::Origin::MESSAGE }, close_of(@log).json.slice("error", "message"))
    assert_log("failed", "")
  end

  def test_a_timeout_closes_as_timed_out
    @upstream.on("/") { |exchange| exchange.head.chunk(frame("a")).stall }
    result = relay(request("/", timeouts: { idle: 0.05 }))

    assert_equal(%i[timed_out idle_timeout], [result.status, result.reason])
    assert_log("timed_out", "a")
    assert_equal("idle_timeout", close_of(@log).json["error"])
  end

  def test_before_the_first_entry_it_is_tried_again
    answers = [503, 503]
    @upstream.on("/") { |exchange| (status = answers.pop) ? exchange.answer("", status: status) : answer(exchange, TEXT) }
    result = relay(request("/", retries: Streamer::RetryPolicy.new(base_delay: 0.01)))

    assert_equal(:completed, result.status)
    assert_equal(3, @upstream.requests.size)
    assert_log("completed", TEXT.join)
  end

  def test_an_open_circuit_is_a_result_and_a_failed_log
    circuit = Streamer::CircuitBreaker.new(error_threshold: 1, error_timeout: 60)
    @upstream.on("/") { |exchange| exchange.answer("", status: 503) }
    2.times { |number| ((@log = Streamer::Log.create) && relay(request("/", circuit: circuit))) || flunk(number) }

    assert_log("failed", "")
    assert_equal("circuit_open", close_of(@log).json["error"])
  end

  def test_an_event_beyond_the_ceiling_fails_and_nothing_is_half_there
    @upstream.on("/") { |exchange| exchange.stream([frame("a"), frame("b" * 5000)]) }
    result = relay(max_event: 1000)

    assert_equal(:event_too_large, result.reason)
    assert_log("failed", "a")
  end

  def test_the_close_says_what_the_application_wants_and_no_more_than_json
    relay(close: ->(result) { { frames: result.timings[:frames] } })
    assert_equal(TEXT.size, close_of(@log).json["frames"])

    no_json = Object.new
    %i[to_json as_json].each { |name| no_json.define_singleton_method(name) { |*| raise("no JSON") } }
    { raising: ->(_) { raise("mine") }, no_json: { no: no_json } }.each do |name, close|
      @log = Streamer::Log.create
      reports = reported { relay(close: close) }

      assert_equal(1, reports.size, name)
      assert_predicate(@log.head, :closed?)
    end
  end

  # ---- stopping ----

  def test_row_80_a_stop_ends_a_silent_upstream_at_once_where_wakes_work
    silent do |thread|
      asked = Upstream.now
      @log.stop

      assert_operator(@upstream.requests.last.wait_gone - asked, :<=, 0.1)
      assert_equal(%i[cancelled stopped], thread.value.then { |result| [result.status, result.reason] })
    end
    assert_log("cancelled", "t0 ")
  end

  def test_row_80_without_wakes_a_stop_is_heard_with_the_next_renewal
    lease(0.6)
    @store.deaf = true
    silent do |thread|
      @log.stop

      assert(@upstream.requests.last.wait_gone)
      assert_equal(:stopped, thread.value.reason)
    end
    assert_log("cancelled", "t0 ")
  end

  def test_row_67_a_writer_that_has_lost_its_log_adds_nothing_and_closes_its_upstream
    lease(6)
    silent do |thread|
      @store.now = 60
      head = @store.claim(@log.key, owner: "another", lease: 600, mode: "continue")
      @store.wake([@log.key])

      assert(@upstream.requests.last.wait_gone)
      assert_equal(%i[failed fenced], thread.value.then { |result| [result.status, result.reason] })
      assert_equal(head.position, @log.head.position)
    end
  end

  def test_stopped_by_key_it_is_cancelled
    silent { Streamer.stop(@log.key) }

    assert_log("cancelled", "t0 ")
  end

  def test_whoever_interrupts_the_wait_ends_the_upstream
    { close: "failed", release: nil }.each do |interrupted, state|
      @log = Streamer::Log.create
      @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }

      assert_raises(Timeout::Error) { Timeout.timeout(0.3) { relay(interrupted: interrupted) } }
      assert(@upstream.requests.last.wait_gone)
      wait { !Streamer::Relay::Registry.size.positive? }

      assert_equal([state, false, "t0 "], [@log.head.state, @log.head.leased?, @log.text])
      assert_equal("interrupted", close_of(@log).json["reason"]) if state
    end
    assert_equal(:completed, @upstream.on("/") { |exchange| answer(exchange, TEXT) } && relay.status)
    assert_log("completed", TEXT.join)
  end

  def test_a_process_that_ends_leaves_a_log_that_says_so
    silent { Streamer::Relay::Registry.send(:all).each { |stream| stream.stop(:shutdown) } }

    assert_log("failed", "t0 ")
    assert_equal("interrupted", close_of(@log).json["reason"])
  end

  # ---- load ----

  def test_a_callback_that_takes_its_time_holds_up_no_entry
    gate = Thread::Queue.new
    first = Streamer::Log.create
    slow = Thread.new { first.relay(request, value: VALUE, on_text: ->(_) { gate.pop }) }
    wait { gate.num_waiting == 1 }
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    thread = Thread.new { relay }

    assert(wait { @log.text == "t0 " })
  ensure
    gate.close
    slow.join
    Streamer.stop(@log.key)
    thread.join
  end

  def test_a_store_that_is_away_holds_up_the_upstream_and_nothing_is_lost
    piece = "0123456789abcdef" * 1024
    sent = 0
    count = 800 # 13 MB
    @upstream.on("/") do |exchange|
      exchange.head
      count.times { exchange.chunk(frame(piece)) && sent += piece.bytesize }
      exchange.finish
    end
    @store.shut
    thread = Thread.new { relay }
    plateau = wait { (before = sent).positive? && sleep(0.05) && before == sent && sleep(0.05) && before == sent && sent }

    assert_operator(plateau, :<=, 9 << 20, "what waits is bounded")
    assert_operator(stream.relay.waiting, :<=, (1 << 20) + (1 << 19))
    @store.open

    assert_equal(:completed, thread.value.status)
    assert_log("completed", piece * count)
  end

  def test_500_at_once_need_no_more_threads_than_one
    before = Thread.list
    texts = MinimalScheduler.run do
      logs = Array.new(500) { Streamer::Log.create }
      logs.each { |log| Fiber.schedule { log.relay(request("/slow"), value: VALUE) } }
      sleep 0.05 until @upstream.requests.size == 500
      @ours = (Thread.list - before).count { |thread| thread.name.to_s.start_with?("streamer-") }
      sleep 0.05 until logs.all? { |log| log.head.closed? }
      logs.map(&:text)
    end

    assert_equal([TEXT.join], texts.uniq)
    assert_operator(@ours, :<=, 10)
    assert_operator(Thread.list.size - before.size, :<=, 520)
  end

  def test_under_a_scheduler_other_fibers_go_on
    ticks = 0
    result = MinimalScheduler.run do
      Fiber.schedule { 3.times { sleep(0.005) && ticks += 1 } }
      @log.relay(request("/slow"), value: VALUE)
    end

    assert_equal([:completed, 3], [result.status, ticks])
  end

  def test_a_response_that_ruby_has_begun_to_read_goes_the_same_way
    [-> { Streamer.get(@upstream.url("/")) }, -> { Streamer.request(:post, @upstream.url("/"), body: StringIO.new("question")) }].each do |make|
      @log = Streamer::Log.create

      assert_equal(:completed, relay(make.call).status)
      assert_log("completed", TEXT.join)
    end
    @log = Streamer::Log.create
    @upstream.on("/") { |exchange| exchange.head.chunk(frame("a")).close }

    assert_equal(:failed, relay(Streamer.get(@upstream.url("/"))).status)
    assert_log("failed", "a")
  end

  def test_a_response_that_ruby_reads_is_stopped_too
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    response = Streamer.get(@upstream.url("/"))
    thread = Thread.new { relay(response) }
    wait { @log.entries.size == 2 }
    @log.stop

    assert_equal(%i[cancelled stopped], thread.value.then { |result| [result.status, result.reason] })
    assert_log("cancelled", "t0 ")
  end

  def test_with_the_garbage_collector_at_every_step
    options = Streamer::Relay::Options.new(value: { content: VALUE }, id_prefix: "1-", event: "token", reserved: %w[done])
    transfer = request.prepare(native: true)
    relay = stressed { Streamer::Relay.new(nil, transfer, options) }.start.wait
    frames, count, text, others = stressed { relay.take_entries }

    assert_equal([TEXT.size, TEXT.join.b, ""], [count, text, others])
    assert_equal(TEXT, Streamer::Log::Frames.entries(frames).map { |entry| entry.json["content"] })
    assert_equal([nil, 0, :there], stressed { [relay.take_entries, relay.waiting, relay.browser] })
    relay.abandon
    GC.compact if GC.respond_to?(:compact)

    assert_equal(:gone, relay.browser)
  end

  def test_text_is_handed_out_on_the_way
    texts = Thread::Queue.new
    relay(on_text: ->(text) { texts << text }, every: 0)

    assert_equal(TEXT.join, Array.new(texts.size) { texts.pop }.join)
  end

  private

  def request(path = "/", **options)
    @upstream.on("/slow") { |exchange| answer(exchange, TEXT, every: 0.02) } if path == "/slow"
    Streamer.request(:get, @upstream.url(path), **options)
  end

  def relay(upstream = request, **options) = @log.relay(upstream, value: VALUE, **options)

  def frame(text) = "data: #{JSON.generate({ choices: [{ delta: { content: text } }] })}\n\n"

  def answer(exchange, texts, every: 0) = exchange.stream([*texts.map { |text| frame(text) }, "data: [DONE]\n\n"], every: every)

  def stressed
    GC.stress = true
    yield
  ensure
    GC.stress = false
  end

  # Yields the thread that relays an upstream which has gone silent behind its first token.
  def silent
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    thread = Thread.new { relay }
    wait { @log.entries.size == 2 }
    yield thread
    thread.join
  end

  # Another length of the leases of this process.
  def lease(seconds)
    Streamer::Log::Background.of(@store).instance_variable_set(:@lease_keeper, Streamer::Log::LeaseKeeper.new(@store, lease: seconds))
  end

  def stream = Streamer::Relay::Registry.send(:all).first

  def entries(log = @log) = log.entries(limit: 10_000)

  def data = entries.select { |entry| entry.kind == :data }

  def contents = data.map { |entry| entry.json["content"] }

  def close_of(log) = log.entries(limit: 10_000).last

  def assert_log(state, text)
    assert_equal([state, text], [@log.head.state, @log.text])
    assert_equal({ "state" => state, "length" => text.bytesize, "sha256" => Digest::SHA256.hexdigest(text) },
                 close_of(@log).json.slice("state", "length", "sha256"))
    assert_equal(1, entries.count { |entry| entry.kind == :close })
  end
end
