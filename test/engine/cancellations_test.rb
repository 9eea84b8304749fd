# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "support/peer"

# Requests that are given up at random moments: while they are connected, before the head, within the body, before they have begun.
module CancellationTests
  COUNT = 512 # for each protocol here, and as many in the other context
  AT_ONCE = 0.1
  BIG = 30_000_000
  WORKERS = 8

  def setup
    @random = Random.new(Minitest.seed)
    super
  end

  { "plain" => ["1.1", false], "https_over_http_1_1" => ["1.1", true], "https_over_http_2" => ["2.0", true] }.each do |name, (protocol, tls)|
    define_method(:"test_#{COUNT}_#{name}_leave_nothing_behind_and_take_no_time") do
      @peer = Peer.shared(:nginx, protocol, tls: tls)
      @peer.file("files/big", "x" * BIG)
      @peer.file("files/small", "y")
      @client = @peer.client
      assert_equal "y", @client.get("/files/small").read
      before = settled { descriptors }
      times = Array.new(WORKERS) { |worker| beside { Array.new(COUNT / WORKERS) { |number| give_up((worker + number) % 5) } } }.flat_map(&:value)

      assert_operator times.sort[times.size * 95 / 100], :<, AT_ONCE
      assert_operator times.max, :<, 10 * AT_ONCE # others may have the processors: three stages of the suite run at once
      assert_equal "y", @client.get("/files/small").read
      wait_until { (@client.get("/files/small").read && descriptors) <= before + 1 }
      wait_until { (@client.get("/files/small").read && @peer.connections) <= 1 + WORKERS }
      assert_equal 0, Streamer.stats[:upstreams] unless fibers?
    end
  end

  private

  # Seconds that giving up took, beyond the moment at which it was to happen.
  def give_up(how)
    case how
    when 0 then @client.get("/files/big").then { |response| seconds { response.cancel } }
    when 1
      left = nil
      response = @client.get("/files/big")
      count = @random.rand(1..30)
      response.each_chunk { (count -= 1).zero? && (left = now) && break }
      now - left
    when 2
      limit = @random.rand(0.001..0.03)
      took = seconds { assert_raises(Streamer::TotalTimeoutError) { @client.get("/files/big", timeouts: { total: limit }).each_chunk { sleep 0.002 } } }
      took - limit - 0.002
    when 3
      request = @client.request(:get, "/files/big").prepare
      request.start if @random.rand(2).zero?
      seconds { request.cancel }
    when 4
      request = @client.request(:get, "/files/big").prepare.start
      sleep @random.rand(0.01)
      seconds { request.cancel }
    end
  end

  def descriptors = Upstream.without_scheduler { Dir.children("/proc/self/fd").size }

  def settled
    value = nil
    wait_until { value == (value = yield) }
    value
  end
end

class CancellationsOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include CancellationTests
end

class CancellationsInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include CancellationTests
end
