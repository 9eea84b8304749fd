# frozen_string_literal: true

require "test_helper"
require "support/log_reader"

# What a reader gets before it is live, by its position.
class CatchUpTest < Minitest::Test
  Log = Streamer::Log
  START = Log::Position::START

  def setup
    @time = 0
    @store = Streamer::Stores::Memory.new(clock: -> { @time })
    @key = "log"
    @store.create(@key)
  end

  def test_row_70_a_reader_that_comes_before_anything_is_written_starts_at_the_start
    catch_up = begin_at("0-0")

    assert_equal :resume, catch_up.mode
    assert_nil catch_up.next
    assert_equal START, catch_up.position
    assert_equal({ "phase" => "queued" }, event(catch_up.notice).json)
    write("a", "b")

    assert_equal %w[1-0 1-1 1-2], ids(catch_up.next)
  end

  def test_row_44_every_position_of_an_open_log_gets_exactly_what_is_behind_it
    write("a", "b")
    write("c", nil, "d", piece: false)
    all = ids(begin_at("0-0").next)
    all.each_with_index do |id, index|
      assert_equal all.drop(index + 1), ids(begin_at(id).next || ""), id
    end
  end

  def test_row_71_a_position_moves_with_entries_alone
    write("a")
    catch_up = begin_at("1-1")

    3.times { assert_nil catch_up.next }
    assert_equal "1-1", catch_up.position.to_s
    write("b")

    assert_equal %w[1-2], ids(catch_up.next)
    assert_nil catch_up.next
  end

  def test_row_43_a_position_at_the_close_gets_nothing_more
    write("a")
    close

    assert_equal :over, begin_at("1-2").mode
    assert_predicate begin_at("1-2"), :over?
    assert_nil begin_at("1-2").next
  end

  def test_an_unknown_log_is_gone
    catch_up = Log::CatchUp.new(@store, "other", START)

    assert_equal :gone, catch_up.mode
    assert_nil catch_up.next
    assert_predicate catch_up, :over?
  end

  def test_a_position_of_a_void_attempt_gets_the_attempt_that_made_it_void_and_what_follows
    write("a", "b")
    claim
    write("c")
    claim
    write("d")
    reader = LogReader.new(position("1-1"), text: "a")
    catch_up = begin_at("1-1")
    drain(catch_up, reader)

    assert_equal :reset, catch_up.mode
    assert_equal "d", reader.text
    assert_equal %w[3-0 3-1], ids(begin_at("1-1").next)
    assert_equal "3-1", reader.position.to_s
  end

  def test_an_attempt_that_continues_is_no_reset
    write("a", "b")
    claim("continue")
    write("c")
    reader = LogReader.new(position("1-1"), text: "a")
    drain(begin_at("1-1"), reader)

    assert_equal "abc", reader.text
    assert_equal 0, reader.gaps
  end

  def test_who_comes_late_gets_the_text_so_far_as_one_entry_and_the_rest
    write("a", "b", piece: true)
    write("c")
    catch_up = begin_at("0-0")
    gap = event(catch_up.next)

    assert_equal :gap, catch_up.mode
    assert_equal "1-2", gap.id
    assert_equal({ "after" => "0-0", "through" => "1-2", "content" => "ab" }, gap.json)
    assert_equal %w[1-3], ids(catch_up.next)
  end

  def test_row_72_a_position_before_entries_that_were_deleted_is_told_and_healed
    write("a", nil, "b", nil, piece: true)
    write("c")
    @store.prune(@key, through: position("1-4"))
    catch_up = begin_at("1-2")
    gap = event(catch_up.next)

    assert_equal :gap, catch_up.mode
    assert_equal({ "after" => "1-2", "through" => "1-4", "content" => "ab",
                   "events" => [{ "id" => "1-4", "event" => "source", "data" => "{}" }] }, gap.json)
    assert_equal %w[1-5], ids(catch_up.next)
  end

  def test_a_position_whose_entries_were_lost_before_others_were_deleted_voids_what_the_reader_has
    write("a", nil)
    reader = LogReader.new
    drain(begin_at("0-0"), reader)
    lose_to("1-0")
    @events.clear
    @pending.clear
    claim("continue")
    write("x", nil, piece: true)
    @store.prune(@key, through: position("2-2"))
    gap = event(begin_at("1-2").next)

    assert_equal %w[1-2 0-0], [reader.position.to_s, gap.json["after"]]
    assert_equal(%w[2-2], gap.json["events"].map { |event| event["id"] })
  end

  def test_a_closed_log_whose_entries_were_deleted_gives_its_text_and_the_close
    write("a", "b", piece: true)
    write("c")
    close(piece: true)
    @store.prune(@key, through: position("1-9"))
    [START, position("1-1")].each do |after|
      reader = LogReader.new(after)
      drain(Log::CatchUp.new(@store, @key, after), reader)

      assert_equal ["abc", "completed", "1-4"], [reader.text, reader.state, reader.position.to_s]
    end
  end

  def test_row_73_a_position_ahead_of_an_open_log_waits_for_it
    write("a", "b", "c")
    lose_to("1-1")
    catch_up = begin_at("1-3")

    assert_equal :ahead, catch_up.mode
    assert_nil catch_up.next
    write("b", "c")
    catch_up.look

    refute_predicate catch_up, :ahead?
    assert_nil catch_up.next
    write("d")

    assert_equal %w[1-4], ids(catch_up.next)
  end

  def test_row_73_a_position_ahead_that_gives_up_gets_the_whole_text
    write("a", piece: true)
    write("b", "c")
    lose_to("1-2")
    reader = LogReader.new(position("1-3"), text: "abc")
    catch_up = begin_at("1-3")
    catch_up.give_up
    drain(catch_up, reader)

    assert_equal ["ab", 1, "1-2"], [reader.text, reader.gaps, reader.position.to_s]
  end

  def test_row_73_a_position_ahead_of_a_closed_log_gets_its_text_and_the_close
    write("a", "b", "c")
    lose_to("1-1")
    close
    reader = LogReader.new(position("1-3"), text: "abc")
    drain(begin_at("1-3"), reader)

    assert_equal ["a", "completed"], [reader.text, reader.state]
  end

  def test_what_a_later_attempt_does_not_go_on_from_is_told_as_a_gap
    write("a", "b", "c")
    lose_to("1-2")
    claim("continue")
    write("x")
    reader = LogReader.new(position("1-3"), text: "abc")
    drain(begin_at("1-3"), reader)

    assert_equal ["abx", 1], [reader.text, reader.gaps]
  end

  def test_a_prefix_that_is_deleted_while_it_is_read_is_told
    20.times { |index| write("#{index} ", piece: true) }
    catch_up = begin_at("1-0")
    reader = LogReader.new(position("1-0"))
    reader.take(catch_up.next)
    300.times { |index| write("#{index}, ", piece: true) }
    @store.prune(@key, through: position("1-200"))
    drain(catch_up, reader)

    assert_equal 1, reader.gaps
    assert_equal [*0...20].map { |index| "#{index} " }.join + [*0...300].map { |index| "#{index}, " }.join, reader.text
  end

  def test_a_long_text_comes_in_several_gaps_cut_between_characters
    text = "€" * 400_000
    bytes = text.b
    (0...bytes.bytesize).step(10_000) { |offset| append([["token", nil]], text: bytes.byteslice(offset, 10_000), piece: true) }
    catch_up = begin_at("0-0")
    gaps = []
    while (frames = catch_up.next)
      gaps << event(frames)
    end

    assert_equal ["reset", "continue"], gaps.map { |gap| gap.json.fetch("mode", "reset") }
    assert_equal text, gaps.map { |gap| gap.json["content"] }.join
    assert_operator gaps.first.data.bytesize, :<, 1_100_000
  end

  def test_a_long_log_is_read_in_portions
    400.times { append([["token", { content: "x" * 10_000 }]]) }
    sizes = []
    catch_up = begin_at("1-0")
    while (frames = catch_up.next)
      sizes << frames.bytesize
    end

    assert_operator sizes.size, :>, 3
    assert_operator sizes.max, :<, 1_100_000
  end

  def test_a_snapshot_is_a_text_and_its_position_at_every_moment
    Log.store = @store
    log = Log[@key]

    assert_equal ["", START], log.snapshot
    write("a", nil, "€", piece: true)
    write("c")

    assert_equal ["a€c", position("1-4")], log.snapshot
    claim

    assert_equal ["", position("2-0")], log.snapshot
    write("x")
    close(piece: true)
    @store.prune(@key, through: position("2-2"))

    assert_equal ["x", position("2-2")], log.snapshot
    assert_raises(Streamer::UnknownLogError) { Log["other"].snapshot }
  ensure
    Log.store = nil
  end

  def test_row_91_line_ends_of_every_kind_arrive_as_they_were
    text = "a\rb\nc\r\nd\u2028e\u0000f\r"
    write(text)
    reader = drain(begin_at("0-0"), LogReader.new)

    assert_equal text, reader.text
  end

  # Logs that seeded chance writes, with five readers each.
  def test_row_78_whatever_happens_to_a_log_its_readers_have_its_text_and_nothing_twice
    (1..100).each do |seed|
      random = Random.new(seed)
      @key = "log-#{seed}"
      @store.create(@key)
      readers = Array.new(5) { [Log::CatchUp.new(@store, @key, START), LogReader.new] }
      random.rand(5..40).times { step(random, readers) }
      close(piece: random.rand(2).zero?)
      readers.each { |catch_up, reader| finish(catch_up, reader) }
      readers.map(&:last).each do |reader|
        assert_equal [@text, "completed"], [reader.text, reader.state], "seed #{seed}"
      end
    rescue LogReader::Objection => error
      flunk "seed #{seed}: #{error.message}"
    end
  end

  private

  def position(text) = Log::Position.parse(text)

  def begin_at(text) = Log::CatchUp.new(@store, @key, position(text))

  def entries(frames) = Log::Followers::Pull.entries(frames)

  def event(frames) = entries(frames).then { |found| found.one? ? found.first : flunk(found.inspect) }

  def ids(frames) = entries(frames).map(&:id)

  def drain(catch_up, reader)
    while (frames = catch_up.next)
      reader.take(frames)
    end
    reader
  end

  def head = @store.heads([@key])[@key]

  def claim(mode = "reset")
    @time += 100
    @store.claim(@key, owner: "writer #{@time}", lease: 30, mode: mode)
    return unless mode == "reset" || head.epoch == 1

    @pending = +"".b
    @events = +"".b
    @text = +""
  end

  # A String is text, nil an entry that has none.
  def write(*texts, piece: false)
    append(texts.map { |text| text ? ["token", { content: text }] : ["source", {}] }, text: texts.compact.join.b, piece: piece)
  end

  def append(entries, text: "", piece: false, state: nil)
    claim if head.epoch.zero?
    before = head
    place = before.position
    frames = entries.map do |event, data|
      place = place.next
      frame = Log::Frames.entry(place, data || {}, event: event)
      @events << frame if event == "source"
      frame
    end
    @pending << text
    @text << text.dup.force_encoding(Encoding::UTF_8)
    made = Log::Piece.new(through: place, text: @pending, events: @events) if piece
    @pending, @events = +"".b, +"".b if piece
    answer = @store.append([Log::Append.new(key: @key, epoch: before.epoch, after: before.sequence, last: place.sequence, frames: frames.join,
                                            state: state, piece: made)])

    assert_equal [nil], answer
  end

  def close(piece: false)
    append([["done", { state: "completed" }]], state: "completed", piece: piece)
  end

  # As a standby does that takes over without the last entries.
  def lose_to(text)
    record = @store.instance_variable_get(:@records)[@key]
    kept = record.batches.flat_map { |batch| batch.entries }.select { |entry| entry.position <= position(text) }
    frames = Log::Frames.split(record.batches.map(&:frames).join).first(kept.size)
    record.batches.replace(frames.zip(kept).map do |frame, entry|
      Log::Batch.new(first: entry.position, last: entry.position, frames: frame)
    end)
    record.head = record.head.with(sequence: position(text).sequence)
    @text = kept.select { |entry| entry.type == "token" }.map { |entry| entry.json["content"] }.join
  end

  def step(random, readers)
    case random.rand(10)
    when 0 then head.epoch.zero? || claim(%w[reset continue].sample(random: random))
    when 1 then @store.prune(@key, through: head.position)
    when 2, 3
      catch_up, reader = readers.sample(random: random)
      frames = catch_up.next
      reader.take(frames) if frames
    when 4
      index = random.rand(readers.size)
      _, reader = readers[index]
      readers[index] = [Log::CatchUp.new(@store, @key, reader.position), reader]
    else
      write(*Array.new(random.rand(1..3)) { |index| random.rand(4).zero? ? nil : "#{random.rand(100)}.#{index} " }, piece: random.rand(3).zero?)
    end
  end

  # A reader whose catch-up has come to the log's end goes on where it is.
  def finish(catch_up, reader)
    drain(catch_up, reader)
    drain(Log::CatchUp.new(@store, @key, reader.position), reader) unless reader.state
  end
end
