# frozen_string_literal: true

require "test_helper"

class LogTest < Minitest::Test
  def setup
    @now = 0
    @store = Streamer::Stores::Memory.new(clock: -> { @now })
    Streamer::Log.store = @store
    @log = Streamer::Log.create
  end

  def teardown
    Streamer::Log.store = nil
  end

  def test_what_a_writer_adds_is_read_from_any_position
    assert(@log.write { |out| out << "Hel" << "lo" })

    entries = @log.entries

    assert_equal(%w[1-0 1-1 1-2 1-3], entries.map(&:id))
    assert_equal(%i[attempt data data close], entries.map(&:kind))
    assert_equal("completed", entries.last.state)
    assert_equal({ "state" => "completed", "length" => 5, "sha256" => Digest::SHA256.hexdigest("Hello") }, entries.last.json)
    assert_equal(%w[1-2 1-3], @log.entries(after: Streamer::Log::Position.parse("1-1")).map(&:id))
    assert_equal("Hello", @log.text)
    assert_equal("completed", @log.head.state)
  end

  def test_one_attempt_writes_at_a_time
    writer = @log.claim

    assert_nil(@log.claim)
    assert_nil(another_process.claim(@log.key, mode: "reset"))
    writer.release

    assert_equal(2, another_process.claim(@log.key, mode: "reset").epoch)
  end

  def test_a_continued_attempt_keeps_the_text_and_fences_the_one_before
    writer = @log.claim
    writer << "one "
    writer.flush
    @now += 31
    second = another_process.claim(@log.key, mode: "continue")
    (second << "two").close

    assert_raises(Streamer::FencedError) { (writer << "late").flush }
    assert_equal("one two", @log.text)
    assert_equal(7, @log.entries.last.json["length"])
    assert_nil(@log.claim)
  end

  def test_a_thread_that_is_killed_gives_its_log_back
    begun = Queue.new
    thread = Thread.new do
      @log.write do |out|
        (out << "half").flush
        begun << true
        sleep
      end
    end
    begun.pop
    thread.kill.join

    refute_predicate(@log.head, :leased?)
    assert(@log.claim(mode: "continue"))
  end

  def test_a_stop_closes_as_cancelled_with_what_had_come
    writer = @log.claim
    stopped = Queue.new
    writer.on_stop { stopped << true }
    writer << "partial"
    writer.flush
    @log.stop

    Timeout.timeout(10) { stopped.pop }

    assert_equal("cancelled", writer.close)
    assert_equal("cancelled", @log.head.state)
    assert_equal("partial", @log.text)
    assert_raises(Streamer::StoppedError) { writer << "more" }
  end

  def test_a_log_that_nobody_writes_is_stopped_at_once
    assert_equal("cancelled", @log.stop.state)
  end

  def test_characters_cut_anywhere_arrive_whole
    text = "aé€😀z"
    @log.write { |out| text.b.each_char { |byte| out << byte } }

    assert_equal(text, @log.text)
    assert(@log.entries.all? { |entry| entry.data.valid_encoding? })
  end

  private

  def another_process = Streamer::Log::Background.new(@store)
end
