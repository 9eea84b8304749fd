# frozen_string_literal: true

require "test_helper"
require "socket"
require "support/contexts"

# One log's readers in this process: over real sockets, and asked by threads and fibers.
module FanoutCase
  Fanout = Streamer::Log::Fanout

  def setup
    super
    @opened = []
  end

  def teardown
    @opened.each(&:close)
    super
  end

  private

  def at(epoch, sequence) = (epoch << 32) | sequence

  def frame(epoch, sequence, data = sequence) = "event: token\nid: #{epoch}-#{sequence}\ndata: #{data}\n\n"

  def frames(sequences, epoch: 1) = sequences.map { |sequence| frame(epoch, sequence) }.join

  def publish(fanout, sequences, epoch: 1)
    fanout.publish(frames(sequences, epoch: epoch), at(epoch, sequences.first), at(epoch, sequences.last))
  end

  # The browser's end, and the BrowserSocket at ours.
  def browser(chunked: false, receive_buffer: nil, **options)
    server = TCPServer.new("127.0.0.1", 0)
    peer = ::Socket.new(:INET, :STREAM)
    peer.setsockopt(:SOCKET, :RCVBUF, receive_buffer) if receive_buffer
    peer.connect(server.local_address)
    accepted = server.accept
    accepted.setsockopt(:SOCKET, :SNDBUF, receive_buffer) if receive_buffer
    @opened << peer
    [peer, Streamer::BrowserSocket.new(accepted, chunked: chunked, heartbeat: nil, **options)]
  ensure
    [server, accepted].compact.each(&:close)
  end

  def counters = Fanout.counters

  # Everything until the connection's end.
  def received(peer)
    text = +""
    loop do
      raise "nothing for 20 s" unless peer.wait_readable(20)

      text << peer.readpartial(65_536)
    end
  rescue EOFError, Errno::ECONNRESET
    text
  end
end

class FanoutTest < Minitest::Test
  include Contexts::Common
  include FanoutCase

  def test_every_reader_gets_every_entry_and_the_complete_end
    fanout = Fanout.new(0)
    peers = Array.new(5) { browser(chunked: true).tap { |_, socket| fanout.join(socket, 0) }.first }
    publish(fanout, 0..0)
    publish(fanout, 1..3)
    fanout.finish

    peers.each { |peer| assert_equal frames(0..3), unchunked(received(peer)) }
  end

  def test_two_thousand_readers_share_one_copy
    fanout = Fanout.new(0)
    before = counters
    peers = Array.new(2_000) do
      peer, server = UNIXSocket.pair
      fanout.join(Streamer::BrowserSocket.new(server, chunked: false, heartbeat: nil), 0)
      server.close
      peer
    end
    @opened.concat(peers)
    fanout.publish(frame(1, 0, "x" * 50_000), at(1, 0), at(1, 0))
    wait_until { counters[:delivered] - before[:delivered] == 2_000 }

    assert_operator counters[:shared_bytes] - before[:shared_bytes], :<, 60_000
    assert_equal 0, counters[:own_bytes]
    fanout.finish
    assert(peers.all? { |peer| received(peer).bytesize == frame(1, 0, "x" * 50_000).bytesize })
    wait_until { fanout.readers.zero? }
  end

  def test_a_reader_that_does_not_read_is_cut_and_the_others_get_everything
    fanout = Fanout.new(0, limit: 100_000)
    cut = counters[:cut]
    slow, slow_socket = browser(chunked: true, receive_buffer: 4096)
    fanout.join(slow_socket, 0)
    peer, socket = browser
    fanout.join(socket, 0)
    everything = Thread.new { received(peer) }
    200.times do |n|
      fanout.publish(frame(1, n, "y" * 5_000), at(1, n), at(1, n))
      wait_until { fanout.readers == 1 || n < 100 }
    end
    fanout.finish

    assert_equal 200, everything.value.scan(/^id: 1-/).size
    assert_equal 1, counters[:cut] - cut
    refute_operator received(slow), :end_with?, "0\r\n\r\n"
  end

  def test_a_reader_that_takes_nothing_for_the_write_timeout_is_cut
    fanout = Fanout.new(0)
    cut = counters[:cut]
    _, socket = browser(receive_buffer: 4096, write_timeout: 0.1)
    fanout.join(socket, 0)
    fanout.publish(frame(1, 0, "x" * 1_000_000), at(1, 0), at(1, 0))
    wait_until { fanout.readers.zero? }

    assert_equal 1, counters[:cut] - cut
  end

  def test_who_was_cut_comes_back_with_its_cursor_and_misses_nothing
    fanout = Fanout.new(0, limit: 50_000)
    store = Array.new(300) { |n| frame(1, n, n.to_s * 200) }
    peer, socket = browser(receive_buffer: 4096)
    fanout.join(socket, 0)
    store.first(250).each_with_index { |entry, n| fanout.publish(entry, at(1, n), at(1, n)) }
    wait_until { fanout.readers.zero? }
    first = received(peer)[/\A.*\n\n/m]
    last = first.scan(/^id: 1-(\d+)$/).last.first.to_i

    peer, socket = browser
    reader = fanout.join(socket, at(1, last))
    assert reader.start(store[(last + 1)..249].join, at(1, 249)) unless reader.live?
    store.drop(250).each_with_index { |entry, n| fanout.publish(entry, at(1, 250 + n), at(1, 250 + n)) }
    fanout.finish
    assert_equal store.join, first + received(peer)
  end

  def test_a_reader_that_joins_far_back_catches_up_from_the_store
    fanout = Fanout.new(at(1, 4))
    peer, socket = browser
    reader = fanout.join(socket, at(1, 1))
    assert_equal at(1, 4), reader.through
    refute_predicate reader, :live?
    publish(fanout, 5..6)
    refute reader.start(frames(2..3), at(1, 3))
    assert reader.start(frames(2..5), at(1, 5))
    assert_nil reader.through
    publish(fanout, 7..8)
    fanout.finish

    assert_equal frames(2..8), received(peer)
  end

  def test_the_hold_of_a_reader_that_catches_up_slowly_moves_on
    fanout = Fanout.new(at(1, 4), limit: 1_000)
    peer, socket = browser
    reader = fanout.join(socket, at(1, 1))
    (5..60).each { |n| publish(fanout, n..n) }
    assert_operator reader.through, :>, at(1, 4)
    refute reader.start(frames(2..4), at(1, 4))
    assert reader.start(frames(2..60), at(1, 60))
    fanout.finish

    assert_equal frames(2..60), received(peer)
  end

  def test_a_reader_within_what_is_retained_needs_no_store
    fanout = Fanout.new(0)
    publish(fanout, 0..9)
    peer, socket = browser
    reader = fanout.join(socket, at(1, 3))
    assert_predicate reader, :live?
    fanout.finish

    assert_equal frames(4..9), received(peer)
  end

  def test_what_was_published_before_is_left_out
    fanout = Fanout.new(0)
    peer, socket = browser
    fanout.join(socket, 0)
    publish(fanout, 0..3)
    publish(fanout, 2..3)
    publish(fanout, 2..5)
    fanout.finish

    assert_equal frames(0..5), received(peer)
    assert_equal at(1, 5), fanout.position
  end

  def test_notices_are_for_those_who_read_now
    fanout = Fanout.new(0)
    first, socket = browser
    fanout.join(socket, 0)
    publish(fanout, 0..0)
    fanout.notice("event: state\ndata: {\"phase\":\"recovering\"}\n\n")
    second, socket = browser
    fanout.join(socket, 0)
    fanout.finish("event: last\ndata: {}\n\n")

    assert_equal "#{frames(0..0)}event: state\ndata: {\"phase\":\"recovering\"}\n\nevent: last\ndata: {}\n\n", received(first)
    assert_equal "#{frames(0..0)}event: last\ndata: {}\n\n", received(second)
  end

  def test_a_planned_end_is_complete_and_says_so
    fanout = Fanout.new(0)
    peer, socket = browser(chunked: true)
    fanout.join(socket, 0, rotate: 30, closing: "event: closing\ndata: {\"reason\":\"rotate\"}\nretry: 120\n\n")
    publish(fanout, 0..1)
    text = received(peer)

    assert_operator text, :end_with?, "0\r\n\r\n"
    assert_equal "#{frames(0..1)}event: closing\ndata: {\"reason\":\"rotate\"}\nretry: 120\n\n", unchunked(text)
  end

  def test_a_finished_log_ends_readers_that_join_at_its_end_or_have_to_catch_up
    fanout = Fanout.new(at(1, 3))
    publish(fanout, 4..4)
    late, late_socket = browser
    late_reader = fanout.join(late_socket, at(1, 0))
    fanout.finish
    there, socket = browser
    fanout.join(socket, at(1, 4))
    assert_equal "", received(there)
    assert late_reader.start(frames(1..4), at(1, 4))
    assert_equal frames(1..4), received(late)
  end

  def test_the_ruby_objects_may_go_and_the_stream_goes_on
    fanout = Fanout.new(0)
    peer = forgotten(fanout)
    3.times { GC.start }
    publish(fanout, 0..2)
    fanout.finish

    assert_equal frames(0..2), received(peer)
  end

  def test_a_reader_that_is_given_up_before_its_start_ends
    fanout = Fanout.new(at(1, 9))
    peer = forgotten(fanout, after: at(1, 1))
    wait_until do
      GC.start
      fanout.readers.zero?
    end

    assert_equal "", received(peer)
  end

  def test_readers_of_a_fanout_that_is_given_up_end
    peer = forgotten
    wait_until do
      GC.start
      peer.wait_readable(0)
    end

    assert_equal "", received(peer)
  end

  def test_whoever_keeps_the_socket_can_wait_for_the_end
    fanout = Fanout.new(0)
    peer, socket = browser
    fanout.join(socket, 0)
    waiting = Thread.new { socket.wait }
    publish(fanout, 0..0)
    fanout.finish

    assert waiting.join(20)
    assert_equal frames(0..0), received(peer)
    refute_predicate socket, :connected?
  end

  def test_what_ruby_writes_on_the_socket_keeps_its_place
    fanout = Fanout.new(at(1, 0))
    peer, socket = browser
    reader = fanout.join(socket, 0)
    socket.write("id: 0-0\n\n")
    assert reader.start(frames(0..0), at(1, 0))
    publish(fanout, 1..1)
    fanout.finish

    assert_equal "id: 0-0\n\n#{frames(0..1)}", received(peer)
  end

  def test_a_browser_that_left_is_no_reader
    fanout = Fanout.new(0)
    peer, socket = browser
    fanout.join(socket, 0)
    peer.close
    wait_until { fanout.readers.zero? }
    wait_until { !socket.connected? }

    assert_equal 0, fanout.readers
  end

  def test_closing_a_reader_closes_its_browser_without_the_last_chunk
    fanout = Fanout.new(0)
    peer, socket = browser(chunked: true)
    reader = fanout.join(socket, 0)
    2.times { reader.close }

    assert_equal "", received(peer)
    wait_until { !reader.open? }
  end

  def test_one_browser_follows_several_logs_with_one_cursor
    fanouts = [Fanout.new(at(1, 4)), Fanout.new(at(1, 0))]
    combined = Fanout::Combined.new([at(1, 4), 0])
    peer, socket = browser
    fanouts.first.join(socket, at(1, 4), combined: [combined, 0])
    socket.write(combined.rewrite(0, "id: 1-4\n\n"))
    reader = fanouts.last.join(socket, 0, combined: [combined, 1])
    wait_for_entries(1) { assert reader.start(frames(0..0), at(1, 0)) }
    wait_for_entries(1) { publish(fanouts.first, 5..5) }
    fanouts.first.finish
    publish(fanouts.last, 1..1)
    fanouts.last.finish

    assert_equal ["0:1-4,0-0", "1:1-4,1-0", "0:1-5,1-0", "1:1-5,1-1"], received(peer).scan(/^id: (.*)$/).flatten
  end

  def test_a_log_of_several_that_has_ended_already_is_left_out
    combined = Fanout::Combined.new([0, 0])
    refute combined.leave(1)
    fanout = Fanout.new(0)
    peer, socket = browser
    fanout.join(socket, 0, combined: [combined, 0])
    fanout.finish

    assert_equal "", received(peer)
    refute combined.leave(1)
  end

  def test_wrong_arguments_are_refused
    fanout = Fanout.new(0)
    assert_raises(ArgumentError) { fanout.publish("id: 1-1\ndata: no end\n", at(1, 1), at(1, 1)) }
    assert_raises(ArgumentError) { fanout.publish(frames(1..2), at(1, 2), at(1, 1)) }
    assert_raises(ArgumentError) { Fanout.new(-1) }
    assert_raises(ArgumentError) { Fanout::Combined.new([]) }
    assert_raises(ArgumentError) { fanout.join(nil, 0, combined: [Fanout::Combined.new([0]), 1]) }
    assert_raises(TypeError) { Fanout::Reader.new }
    assert_raises(TypeError) { fanout.join(Object.new, 0) }
    assert_raises(ArgumentError) { Fanout.allocate.publish(frames(1..1), 1, 1) }
    fanout.finish
    assert_raises(Streamer::Error) { publish(fanout, 1..1) }
    assert_nil fanout.finish
  end

  def test_stats_count_followers
    before = Streamer.stats
    fanout = Fanout.new(0)
    readers = Array.new(3) { fanout.join(nil, 0) }
    publish(fanout, 0..0)

    assert_equal 3, Streamer.stats[:followers] - before[:followers]
    assert_operator Streamer.stats[:shared_bytes], :>, before[:shared_bytes]
    readers.each(&:close)
    assert_equal before[:followers], Streamer.stats[:followers]
  end

  def test_nothing_is_left_behind
    GC.start
    before = counters.slice(:readers, :blocks, :own_bytes)
    20.times do
      fanout = Fanout.new(at(1, 3))
      peers = Array.new(4) do |n|
        peer, socket = browser
        reader = fanout.join(socket, at(1, n))
        reader.start(frames((n + 1)..3), at(1, 3)) unless reader.live?
        peer
      end
      publish(fanout, 4..8)
      fanout.finish
      peers.each { |peer| received(peer) }
    end
    wait_until do
      GC.start
      counters.slice(:readers, :blocks, :own_bytes).all? { |name, value| value <= before[name] }
    end
  end

  # Of the draining the other tests would see, too, a child does it.
  def test_a_drain_says_good_bye_to_every_reader_with_a_retry_of_its_own
    answer = in_child do
      fanouts = Array.new(3) { Fanout.new(0) }
      peers = Array.new(30) { |n| browser(chunked: true).tap { |_, socket| fanouts[n % 3].join(socket, 0) }.first }
      pulling = fanouts.first.join(nil, 0)
      Fanout.drain(1_000, 6_000)
      texts = peers.map { |peer| received(peer) }
      retries = texts.map { |text| text[/\A.*event: closing\ndata: {"reason":"shutdown"}\nretry: (\d+)\n\n\r\n0\r\n\r\n\z/m, 1].to_i }
      taken = [pulling.take(5), pulling.take(5)]
      sleep 0.005 until Fanout.counters[:readers].zero?
      [retries.all? { |time| time.between?(1_000, 6_000) }, retries.uniq.size > 20, taken[0][0][/retry: \d+/].nil?, taken[0][1], taken[1]]
    end

    assert_equal "[true, true, false, nil, :end]", answer
  end

  def test_a_child_leaves_its_parents_readers_alone_and_has_its_own
    fanout = Fanout.new(0)
    peer, socket = browser
    reader = fanout.join(socket, 0)
    errors = in_child do
      names = [-> { publish(fanout, 0..0) }, -> { reader.through }, -> { fanout.join(nil, 0) }].map do |call|
        call.call
      rescue StandardError => error
        error.class
      end
      own = Fanout.new(0)
      pulling = own.join(nil, 0)
      publish(own, 0..0)
      3.times { GC.start }
      names + [pulling.take(5).last, Fanout.counters[:readers]]
    end
    assert_equal "[Streamer::ForkError, Streamer::ForkError, Streamer::ForkError, #{at(1, 0)}, 1]", errors
    publish(fanout, 0..1)
    fanout.finish
    assert_equal frames(0..1), received(peer)
  end

  def test_objects_are_made_and_freed_under_stress
    fanout = Fanout.new(0)
    GC.stress = true
    combined = Fanout::Combined.new([0, 0])
    reader = fanout.join(nil, 0, rotate: 60_000, closing: "x\n\n", combined: [combined, 1])
    fanout.publish("id: 1-0\n\n", at(1, 0), at(1, 0))
    taken = reader.take(5)
    combined.rewrite(0, "id: 1-1\n\n")
    GC.stress = false
    assert_equal ["id: 1:0-0,1-0\n\n", at(1, 0)], taken
  ensure
    GC.stress = false
  end

  def test_objects_survive_being_moved
    skip "this Ruby cannot move objects" unless GC.respond_to?(:compact)
    fanout = Fanout.new(at(1, 0))
    combined = Fanout::Combined.new([0])
    reader = fanout.join(nil, 0, combined: [combined, 0])
    GC.compact
    reader.start("id: 1-0\n\n", at(1, 0))
    assert_equal ["id: 0:1-0\n\n", at(1, 0)], reader.take(5)
  end

  private

  def unchunked(text)
    bytes = +""
    while (size = text.slice!(/\A\h+\r\n/)&.hex) && size.positive?
      bytes << text.slice!(0, size)
      text.delete_prefix!("\r\n")
    end
    assert_equal "\r\n", text
    bytes
  end

  # A reader whose Ruby objects nobody holds, nor a fanout that is not given.
  def forgotten(fanout = nil, after: 0)
    Thread.new do
      peer, socket = browser
      (fanout || Fanout.new(0)).join(socket, after)
      peer
    end.value
  end

  # Until so many more entries were delivered.
  def wait_for_entries(count)
    before = counters[:delivered]
    yield
    wait_until { counters[:delivered] - before >= count }
  end

  # What the block gives there, inspected.
  def in_child
    reader, writer = IO.pipe
    pid = fork do
      reader.close
      writer.write(yield.inspect)
    rescue StandardError => error # shown by the parent
      writer.write(error.full_message)
    ensure
      writer.close
      Process.exit!(0)
    end
    writer.close
    reader.read.tap { Process.wait(pid) }
  end
end

# Readers without a browser.
module PullReaderTests
  include FanoutCase

  def test_a_reader_takes_all_there_is
    fanout = Fanout.new(0)
    reader = fanout.join(nil, 0)
    publish(fanout, 0..1)
    publish(fanout, 2..2)

    assert_equal [frames(0..2), at(1, 2)], reader.take
    assert_nil reader.take(0.01)
    fanout.finish("event: last\n\n")
    assert_equal "event: last\n\n", reader.take.first
    2.times { assert_equal :end, reader.take }
  end

  def test_a_reader_waits_for_what_comes
    fanout = Fanout.new(0)
    reader = fanout.join(nil, 0)
    taking = beside { reader.take(20) }
    publish(fanout, 0..0)

    assert_equal [frames(0..0), at(1, 0)], taking.value
  end

  def test_many_wait_at_once
    fanout = Fanout.new(0)
    taking = Array.new(8) do
      beside do
        reader = fanout.join(nil, 0)
        text = +""
        while (taken = reader.take(20)) != :end
          text << taken.first
        end
        text
      end
    end
    20.times { |n| publish(fanout, n..n) }
    fanout.finish

    taking.each { |task| assert_equal frames(0..19), task.value }
  end

  def test_a_close_from_another_thread_wakes_it
    fanout = Fanout.new(0)
    reader = fanout.join(nil, 0)
    taking = beside { reader.take(60) }
    Thread.new { reader.close }

    assert_equal :end, taking.value
  end

  def test_a_reader_that_is_too_slow_is_told_so
    fanout = Fanout.new(0, limit: 500)
    reader = fanout.join(nil, 0)
    50.times { |n| publish(fanout, n..n) }

    2.times { assert_equal :cut, reader.take }
    refute_predicate reader, :open?
  end

  def test_a_large_entry_comes_whole
    fanout = Fanout.new(0)
    reader = fanout.join(nil, 0)
    3.times { |n| fanout.publish(frame(1, n, "z" * 100_000), at(1, n), at(1, n)) }

    assert_equal([0, 1, 2], Array.new(3) { reader.take.last - at(1, 0) })
  end

  def test_it_catches_up_from_the_store
    fanout = Fanout.new(at(1, 4))
    reader = fanout.join(nil, at(1, 1))
    assert_nil reader.take(0.01)
    publish(fanout, 5..5)
    assert reader.start(frames(2..4), at(1, 4))

    taken = +""
    taken << reader.take.first until taken.include?("id: 1-5\n")
    assert_equal frames(2..5), taken
  end

  def test_its_planned_end_comes_while_it_waits
    fanout = Fanout.new(0)
    reader = fanout.join(nil, 0, rotate: 20, closing: "event: closing\n\n")

    assert_equal ["event: closing\n\n", nil], reader.take(20)
    assert_equal :end, reader.take
  end

  def test_a_reader_with_a_browser_is_not_taken_from
    ends = UNIXSocket.pair
    socket = Streamer::BrowserSocket.new(ends.last, heartbeat: nil)
    assert_raises(Streamer::Error) { Fanout.new(0).join(socket, 0).take }
  ensure
    ends&.each(&:close)
  end
end

class PullReaderInThreadsTest < Minitest::Test
  include Contexts::Threads
  include PullReaderTests
end

class PullReaderInFibersTest < Minitest::Test
  include Contexts::Scheduled
  include PullReaderTests
end

class PullReaderInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include PullReaderTests
end
