# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "support/peer"

# Streams that share a connection, a loop or a process, and what they must not feel of each other.
module SharingTests
  BIG = 20_000_000

  # Nobody reads it: its window stays shut, and that of the connection open.
  def test_a_stream_that_is_slow_stalls_no_sibling_on_its_connection
    peer = Peer.shared(:nginx, "2.0")
    peer.file("files/big", "x" * BIG)
    peer.file("files/small", "y" * 500_000)
    client = peer.client(timeouts: { total: 60 })
    client.get("/files/small").read
    before = peer.connections
    slow = Array.new(3) { client.get("/files/big") }
    took = seconds { 20.times { assert_equal 500_000, client.get("/files/small").read.bytesize } }

    assert_operator took, :<, 5
    assert_operator peer.connections, :<=, before, "they do not share a connection"
    assert_equal [BIG], slow.map { |response| response.read.bytesize }.uniq
  end

  # Its events carry the moment at which they were sent.
  # (The bound is for machines that have other things to do.)
  def test_200_handshakes_delay_the_streams_that_run_by_a_few_milliseconds
    running, other = Peer.shared(:nginx, "2.0"), Peer.shared(:nginx, "1.1")
    other.backend.on("/held") { |exchange| exchange.head.chunk("data: a\n\n").stall }
    running.backend.on("/ticks") { |exchange| exchange.head.tap { loop { exchange.chunk("data: #{now}\n\n").pause(0.005) } } }
    delays = []
    over = false
    reader = beside { running.client.get("/ticks").each_event { |event| over ? break : delays << (now - Float(event.data)) } }
    wait_until { delays.size > 50 }
    before = delays.dup
    delays.clear
    client = other.client(resolve: { "localhost:#{other.port}" => "127.0.0.1" }, # not ::1 first, which is refused
                          timeouts: { connect: 60 })
    requests = Array.new(200) { client.request(:get, "/held").prepare.start }
    requests.each(&:wait_head)
    during = delays.dup
    assert_operator other.connections, :>=, 200

    puts "#{self.class}: ms of delay, median and 95 of 100: #{report(before)}; during 200 handshakes: #{report(during)}" if ENV["VERBOSE"]
    assert_operator percentile(during, 95), :<, percentile(before, 95) + 0.2
  ensure
    requests&.each(&:cancel)
    over = true
    reader&.value
  end

  private

  def percentile(values, percent) = values.sort[values.size * percent / 100]
  def report(values) = [50, 95].map { |percent| (percentile(values, percent) * 1000).round(1) }.join(" ")
end

class SharingOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include SharingTests
end

class SharingInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include SharingTests
end

# A process that forks while streams are open over TLS.
class ForkWithTLSTest < Minitest::Test
  include Contexts::Threads

  %w[1.1 2.0].each do |protocol|
    define_method(:"test_a_child_has_connections_of_its_own_and_the_parents_go_on_over_http_#{protocol.tr(".", "_")}") do
      peer = Peer.new(:nginx, protocol)
      go_on = Thread::Queue.new
      peer.backend.on("/held") { |exchange| exchange.head.chunk("data: a\n\n").tap { go_on.pop }.chunk("data: b\n\n").finish }
      client = peer.client
      client.get("/").read
      seen = []
      stream = beside { client.get("/held").each_event { |event| seen << event.data } }
      wait_until { seen == ["a"] }
      before = peer.connections
      assert_equal ["4 events", "4 events", "own: true"], in_child(peer, client, before)

      wait_until { peer.connections <= before }
      go_on << true
      stream.value
      assert_equal %w[a b], seen
      assert client.get("/").tap(&:read).timings[:reused], "the parent's connection was lost"
    ensure
      peer.stop
    end
  end

  private

  def in_child(peer, client, before)
    reader, writer = IO.pipe
    pid = fork do
      reader.close
      2.times { writer.puts "#{client.get("/").each_event.count} events" }
      writer.puts "own: #{peer.connections > before}"
    rescue Exception => error # rubocop:disable Lint/RescueException -- it is the result
      writer.puts error.full_message
    ensure
      exit!(0)
    end
    writer.close
    reader.read.lines(chomp: true)
  ensure
    reader.close
    Process.wait(pid)
  end
end
