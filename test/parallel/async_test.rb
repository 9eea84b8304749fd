# frozen_string_literal: true

require "test_helper"
require "async/barrier"
require "async/queue"
require "async/semaphore"
require "support/contexts"

# async's own idioms around requests, and around merge and gather.
class AsyncIdiomsTest < Minitest::Test
  include Contexts::InAsync

  def setup
    @server = upstream { |exchange| exchange.pause(exchange.request.query["after"].to_f).json({ path: exchange.request.path }) }
    @server.on("/numbers") { |exchange| exchange.stream((0...3).map { |number| "data: #{number}\n\n" }, every: 0.02) }
    @server.on("/stall") { |exchange| exchange.head.chunk("data: first\n\n").stall }
    @server.on("/failing") { |exchange| exchange.pause(0.1).json({ error: "out of order" }, status: 500) }
    @client = Streamer::Client.new(@server.url)
    super
  end

  def task = Async::Task.current

  def test_a_task_s_value_is_waited_for
    tasks = %w[/a /b].map { |path| task.async { @client.get("#{path}?after=0.1").json["path"] } }
    assert_equal %w[/a /b], tasks.map(&:wait)
  end

  def test_a_task_s_error_is_raised_where_it_is_waited_for
    failing = task.async { @client.get("/failing").ensure_success! }
    assert_raises(Streamer::ResponseError) { failing.wait }
  end

  def test_a_barrier_waits_for_all_and_stops_all
    barrier = Async::Barrier.new
    counts = []
    3.times { barrier.async { counts << @client.get("/numbers").each_event.count } }
    barrier.wait
    assert_equal [3, 3, 3], counts

    2.times { barrier.async { @client.get("/stall").each_event { |event| event } } }
    @server.wait_request(5)
    barrier.stop
    assert(@server.requests.last(2).all?(&:wait_gone))
  end

  def test_a_semaphore_limits_what_is_open
    open = most = 0
    lock = Mutex.new
    @server.on("/counted") do |exchange|
      lock.synchronize { most = [most, open += 1].max }
      wait_until { most >= 2 }
      exchange.pause(0.05)
      lock.synchronize { open -= 1 }
      exchange.json({})
    end
    semaphore = Async::Semaphore.new(2)
    Array.new(6) { semaphore.async { @client.get("/counted").json } }.each(&:wait)
    assert_equal 2, most
  end

  def test_a_queue_takes_events_from_several_tasks
    queue = Async::Queue.new
    readers = %i[a b].map { |name| task.async { @client.get("/numbers").each_event { |event| queue.enqueue([name, event.data]) } } }
    task.async { readers.each(&:wait) && queue.enqueue(nil) }
    seen = []
    while (item = queue.dequeue)
      seen << item
    end
    assert_equal({ a: %w[0 1 2], b: %w[0 1 2] }, seen.group_by(&:first).transform_values { |pairs| pairs.map(&:last) })
  end

  def test_a_merge_feeds_a_queue_that_another_task_reads
    queue = Async::Queue.new
    reader = task.async { Array.new(6) { queue.dequeue } }
    Streamer.merge(a: @client.request(:get, "/numbers"), b: @client.request(:get, "/numbers")) { |name, event| queue.enqueue([name, event.data]) }
    assert_equal [[:a, "0"], [:a, "1"], [:a, "2"], [:b, "0"], [:b, "1"], [:b, "2"]], reader.wait.sort
  end

  def test_several_merges_side_by_side_and_other_tasks_between
    ticks = 0
    ticking = task.async { loop { sleep(0.005) && ticks += 1 } }
    merges = Array.new(4) do
      task.async do
        [].tap { |seen| Streamer.merge(a: @client.request(:get, "/numbers"), b: @client.request(:get, "/numbers")) { |*pair| seen << pair } }.size
      end
    end
    assert_equal [6] * 4, merges.map(&:wait)
    ticking.stop
    assert_operator ticks, :>, 0
  end

  def test_stopping_one_merge_leaves_the_others_alone
    stalled = task.async { Streamer.merge(a: @client.request(:get, "/stall"), b: @client.request(:get, "/stall")) { |*| nil } }
    fine = task.async { Streamer.gather(a: @client.request(:get, "/a?after=0.3"), b: @client.request(:get, "/b")) }
    @server.wait_request(4)
    stalled.stop
    assert_equal({ a: { "path" => "/a" }, b: { "path" => "/b" } }, fine.wait)
    assert(@server.requests.select { |request| request.path == "/stall" }.all?(&:wait_gone))
  end

  def test_the_block_may_wait_for_other_tasks_and_ask_other_upstreams
    seen = []
    Streamer.merge(a: @client.request(:get, "/numbers"), b: @client.request(:get, "/numbers")) do |name, event|
      other = task.async { @client.get("/other").json["path"] }
      sleep(0.01)
      seen << [name, event.data, other.wait]
    end
    assert_equal 6, seen.size
    assert_equal ["/other"], seen.map(&:last).uniq
  end

  # 200 sources, whose events come together five times: a fiber for each would wait a thousand times.
  def test_one_wait_serves_all
    port, pid = rounds_server(200, 5)
    client = Streamer::Client.new("http://127.0.0.1:#{port}")
    waits = 0
    counting = Module.new do
      define_method(:io_wait) { |*arguments| (waits += 1) && super(*arguments) }
      define_method(:block) { |*arguments| (waits += 1) && super(*arguments) }
    end
    Fiber.scheduler.singleton_class.prepend(counting)
    seen = Hash.new { |hash, name| hash[name] = [] }
    Streamer.merge((0...200).to_h { |number| [number, client.request(:get, "/")] }) { |name, event| seen[name] << event.data }
    assert_equal [%w[0 1 2 3 4]], seen.values.uniq
    assert_equal 200, seen.size
    assert_operator waits, :<, 600
  ensure
    Upstream.without_scheduler { Process.wait(pid) } if pid
  end

  private

  # A process that sends an event to all of its `count` clients, so many times, one after the other.
  def rounds_server(count, rounds)
    server = TCPServer.new("127.0.0.1", 0)
    server.listen(count)
    pid = fork do
      Upstream.without_scheduler { serve_rounds(Array.new(count) { server.accept }, rounds) }
    ensure
      exit!(0)
    end
    [server.addr[1], pid]
  ensure
    server&.close
  end

  def serve_rounds(clients, rounds)
    clients.each { |client| client.readpartial(4096) }
    clients.each { |client| client.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n") }
    rounds.times do |number|
      clients.each { |client| client.write("data: #{number}\n\n") }
      sleep 0.1
    end
    clients.each(&:close)
  end
end
