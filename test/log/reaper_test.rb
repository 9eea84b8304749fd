# frozen_string_literal: true

require "test_helper"

class LogReaperTest < Minitest::Test
  def setup
    @now = 0
    @upkeep = Streamer::Log.upkeep
    Streamer::Log.upkeep = nil
    Streamer::Log.store = @store = Streamer::Stores::Memory.new(clock: -> { @now })
    @background = Streamer::Log::Background.new(@store)
    @log = Streamer::Log.create
  end

  def teardown
    Streamer::Log.store = nil
    Streamer::Log.upkeep = @upkeep
  end

  def test_a_log_whose_writer_is_gone_fails_with_its_text_kept
    leave_behind("half")
    @background.reaper.round

    assert_equal("failed", @log.head.state)
    assert_equal("half", @log.text)
    assert_equal("interrupted", @log.entries.last.json["reason"])
  end

  def test_who_is_alive_is_left_alone
    another_process.claim(@log.key, mode: "reset")
    @background.reaper.round

    assert_predicate(@log.head, :open?)
  end

  def test_an_application_that_recovers_it_is_asked_first
    recovered = []
    Streamer::Log.upkeep = Object.new.tap do |upkeep|
      upkeep.define_singleton_method(:round) { nil }
      upkeep.define_singleton_method(:recover) { |log| recovered << log.key }
    end
    leave_behind("half")
    @background.reaper.round

    assert_equal([@log.key], recovered)
    assert_predicate(@log.head, :open?)
  end

  def test_entries_go_when_they_were_kept_long_enough_and_the_text_stays
    @log.write { |out| (out << "text").flush }
    @now += Streamer::Log.retention + 1
    @background.reaper.round

    assert_equal(%w[1-2], @log.entries.map(&:id))
    assert_equal("text", @log.text)
    assert_empty(@store.expired(age: Streamer::Log.retention))
  end

  def test_twenty_reapers_close_it_once
    leave_behind("half")
    Array.new(20) { Thread.new { another_process.reaper.round } }.each(&:join)

    assert_equal(%i[attempt data attempt close], @log.entries.map(&:kind))
  end

  private

  def another_process = Streamer::Log::Background.new(@store)

  # A writer that is never heard of again.
  def leave_behind(text)
    head = @store.claim(@log.key, owner: "gone", lease: 30)
    attempt = Streamer::Log::Attempt.new(head, owner: "gone", lease: 30, now: 0)
    attempt.add(text) { |position| Streamer::Log::Frames.entry(position, { content: text }, event: "token") }
    @store.append([attempt.take(0)])
    @now += 31
  end
end
