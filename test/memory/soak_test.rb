# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# Many requests, a tenth of them cancelled at random moments: memory, descriptors and threads end where they began.
# STREAMER_SOAK is the number of requests.
module SoakTests
  REQUESTS = Integer(ENV.fetch("STREAMER_SOAK", "1000"))
  AT_ONCE = 10

  def patience = 300 + (REQUESTS / 10)

  def test_nothing_is_left_behind
    skip "reads /proc" unless File.directory?("/proc/self/fd")
    server = Upstream.in_process do |exchange|
      exchange.request.path == "/slow" ? exchange.openai(tokens: 10_000, every: 0.002) : exchange.openai(tokens: 20)
    end
    client = Streamer::Client.new(server.url)
    random = Random.new(Minitest.seed)
    before, after = Array.new(2) { state_after { requests(client, random, REQUESTS) } } # the first fills pools and heaps
    2.times { before, after = after, state_after { requests(client, random, REQUESTS) } if grown?(before, after) } # a leak grows each time
    assert_operator after[:descriptors], :<=, before[:descriptors] + AT_ONCE, "descriptors: #{before} #{after}"
    assert_operator after[:threads], :<=, before[:threads] + AT_ONCE, "threads: #{before} #{after}" # Ruby keeps some for reuse
    assert_operator after[:kilobytes] - before[:kilobytes], :<, 8192, "memory: #{before} #{after}"
  ensure
    server&.stop
  end

  private

  def grown?(before, after)
    after[:kilobytes] - before[:kilobytes] >= 8192 || %i[descriptors threads].any? { |what| after[what] > before[what] + AT_ONCE }
  end

  def requests(client, random, count)
    (count / AT_ONCE).times do
      exchanges = Array.new(AT_ONCE) do
        random.rand(10).zero? ? beside { cancelled(client, random.rand(0.02)) } : beside { complete(client) }
      end
      exchanges.each(&:value)
    end
  end

  def complete(client)
    assert_equal 21, client.get("/").each_event.count
  end

  def cancelled(client, seconds)
    response = client.get("/slow")
    reader = beside { response.each_event { |event| event } }
    sleep seconds
    response.cancel
    assert_raises(Streamer::CancelledError) { reader.value }
  end

  def state_after
    yield
    3.times { GC.start }
    sleep 0.1
    status = Upstream.without_scheduler { File.read("/proc/self/status") }
    { descriptors: Dir.children("/proc/self/fd").size, threads: status[/^Threads:\s+(\d+)/, 1].to_i,
      kilobytes: status[/^VmRSS:\s+(\d+)/, 1].to_i }
  end
end

class SoakOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include SoakTests
end

class SoakInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include SoakTests
end

class SoakInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include SoakTests
end
