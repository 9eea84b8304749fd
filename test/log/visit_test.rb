# frozen_string_literal: true

require "test_helper"
require "socket"
require "support/log_reader"
require "support/patience"
require "support/watched_store"

# A browser's way into a log, where it cannot be gone in one step.
class VisitTest < Minitest::Test
  include Patience

  Log = Streamer::Log
  START = Log::Position::START

  def setup
    @store = WatchedStore.new(Streamer::Stores::Memory.new)
    Log.store = @store
    @log = Log.create
    @followers = Log.background.followers
    @sockets = []
  end

  def teardown
    @sockets.each { |socket| socket.close unless socket.closed? }
    wait { @followers.waiting.zero? }
    Log.store = nil
  end

  def test_a_long_log_waits_for_a_slow_browser_in_portions
    text = fill(12)
    browser = visit(position("1-0"))
    sleep 0.05

    assert_equal 1, @followers.waiting
    assert_operator Streamer::Log::Fanout.counters[:own_bytes], :<, 4 * 1024 * 1024
    assert_equal text, read(browser, after: "1-0").text
    wait { @followers.waiting.zero? }
  end

  def test_a_slow_browser_holds_up_nobody
    fill(12, more: true)
    slow = visit(position("1-0"))
    quick = visit(@log.head.position)
    @writer << "new"
    @writer.close

    assert_equal "new", read(quick, after: @before.to_s).text
    assert_equal "completed", read(slow, after: "1-0").state
  end

  def test_a_browser_that_leaves_meanwhile_is_forgotten
    fill(12)
    visit(position("1-0")).close

    wait { @followers.waiting.zero? }
  end

  def test_who_waits_at_the_processs_end_is_told
    fill(12, more: true)
    browser = visit(position("1-0"))
    ahead = visit(position("1-99"))
    @followers.dismiss { Log::Followers.farewell }

    assert_match(/\Aevent: closing\nretry: \d{4}\ndata: {"reason":"shutdown"}\n\n\z/, ahead.read)
    refute_includes browser.read, "event: done"
    assert_equal 0, @followers.waiting
    @writer.close
  end

  def test_row_69_what_is_written_while_the_store_subscribes_is_not_missed
    @store.singleton_class.prepend(Module.new do
      def watch(...)
        sleep 0.05
        super
      end
    end)
    browser = visit(START)
    @log.write { |out| 30.times { |index| out << "#{index} " } }

    assert_equal Array.new(30) { |index| "#{index} " }.join, read(browser).text
  end

  def test_row_73_a_browser_that_is_ahead_is_held_until_the_log_has_come_so_far
    write("a", "b", "c")
    kept = lose_to("1-1")
    browser = visit(position("1-3"))
    wait { @followers.waiting == 1 }
    restore(kept)
    close

    reader = read(browser, after: "1-3", text: "abc")

    assert_equal ["abc", "completed", 0], [reader.text, reader.state, reader.gaps]
  end

  def test_row_73_a_browser_that_is_ahead_for_too_long_gets_the_whole_text
    @followers.define_singleton_method(:patience) { 0.2 }
    write("a", "b", "c")
    lose_to("1-1")
    browser = visit(position("1-3"))
    wait { @followers.waiting.zero? }
    close

    assert_equal ["a", "completed"], read(browser, after: "1-3", text: "abc").then { |reader| [reader.text, reader.state] }
  end

  def test_readers_of_a_log_that_goes_on_from_an_earlier_place_come_back_and_are_told
    write("a", "b", "c")
    browser = visit(position("1-3"))
    wait { Log::Fanout.counters[:readers].positive? }
    lose_to("1-2")
    claim("continue")
    write("x")
    bytes = browser.read

    assert_equal "", bytes.gsub(/^event: state\n.*?\n\n/m, "")
    reader = read(visit(position("1-3")).tap { close }, after: "1-3", text: "abc")

    assert_equal ["abx", "completed", 1], [reader.text, reader.state, reader.gaps]
  end

  def test_a_store_that_is_away_while_a_browser_comes_is_waited_for
    write("a")
    @store.away = true
    browser = visit(START)

    assert_equal 1, @followers.waiting
    @store.away = false
    close

    assert_equal "a", read(browser).text
  end

  def test_several_logs_wait_for_one_browser
    fill(6, more: true)
    other = Log.create
    other.write { |out| out << "other" }
    browser, theirs = pair
    combined = Log::Fanout::Combined.new([position("1-0").to_i, 0])
    visits = [[@log.key, position("1-0")], [other.key, START]].each_with_index.map do |(key, after), index|
      Log::Followers::Visit.new(@followers, key, after, browser, combined: [combined, index])
    end
    visits.each { |visit| @followers.receive(visit) }
    @writer.close
    frames = theirs.read

    assert_equal 6, frames.scan(/^event: token\nid: 0:/).size
    assert_equal 1, frames.scan(/^event: gap\nid: 1:1-/).size
    assert_equal 2, frames.scan("event: done\n").size
  end

  private

  def position(text) = Log::Position.parse(text)

  def pair
    ours, theirs = UNIXSocket.pair
    @sockets << theirs
    [Streamer::BrowserSocket.new(ours, chunked: false, heartbeat: nil).tap { ours.close }, theirs]
  end

  # The browser's end of a connection.
  def visit(after)
    browser, theirs = pair
    @followers.receive(Log::Followers::Visit.new(@followers, @log.key, after, browser))
    theirs
  end

  def read(socket, after: "0-0", text: "")
    LogReader.new(position(after), text: text).take(socket.read.force_encoding(Encoding::UTF_8))
  end

  # So many entries of a megabyte, and the close unless there is more to come.
  def fill(megabytes, more: false)
    @writer = @log.claim
    megabytes.times { |index| @writer.append({ content: index.to_s * 1_000_000 }, event: "token") }
    @writer.flush
    @before = @log.head.position
    @writer.close unless more
    Array.new(megabytes) { |index| index.to_s * 1_000_000 }.join
  end

  # ---- without a writer ----

  def records = @store.__getobj__.instance_variable_get(:@records)

  def claim(mode = "reset") = @store.claim(@log.key, owner: "writer #{@claims = @claims.to_i + 1}", lease: 0, mode: mode)

  def write(*texts)
    claim if @log.head.queued?
    append(texts.map { |text| ["token", { content: text }] })
  end

  def close = append([["done", { state: "completed" }]], state: "completed")

  def append(entries, state: nil)
    head = @log.head
    place = head.position
    frames = entries.map { |event, data| Log::Frames.entry(place = place.next, data, event: event) }

    assert_equal [nil], @store.append([Log::Append.new(key: @log.key, epoch: head.epoch, after: head.sequence, last: place.sequence,
                                                       frames: frames.join, state: state)])
    @store.wake([@log.key])
  end

  # As a standby does that takes over without the last entries. What was lost.
  def lose_to(text)
    record = records[@log.key]
    batches = record.batches.flat_map do |batch|
      Log::Frames.split(batch.frames).zip(batch.entries).map { |frame, entry| Log::Batch.new(first: entry.position, last: entry.position, frames: frame) }
    end
    kept, lost = batches.partition { |batch| batch.last <= position(text) }
    record.batches.replace(kept)
    record.head = record.head.with(sequence: position(text).sequence)
    lost
  end

  def restore(batches)
    record = records[@log.key]
    record.batches.concat(batches)
    record.head = record.head.with(sequence: batches.last.last.sequence)
    @store.wake([@log.key])
  end
end
