# frozen_string_literal: true

require "test_helper"

# What a store's answer means to an attempt.
class LogAttemptTest < Minitest::Test
  Log = Streamer::Log

  def setup
    @head = Log::Head.new(key: "k", epoch: 1, text_epoch: 1, owner: "me", leased: true)
    @attempt = Log::Attempt.new(@head, owner: "me", lease: 30, now: 0)
  end

  def test_what_is_added_is_appended_and_then_the_next
    first = taken("a", "b")

    assert_equal([0, 2, frames(1..2, %w[a b])], [first.after, first.last, first.frames])
    @attempt.settle(first, nil)
    assert_equal([0, nil], [@attempt.waiting, @attempt.take(1)])
    assert_equal([2, 3], taken("c").then { |append| [append.after, append.last] })
  end

  def test_an_append_whose_answer_was_lost_is_settled_by_its_last_entry
    append = taken("a")
    @attempt.settle(append, @head.with(sequence: 1))

    assert_equal([0, nil, nil], [@attempt.waiting, @attempt.take(1), @attempt.outcome])
  end

  def test_a_lost_end_is_appended_again
    appends = %w[a b c].map { |text| taken(text).tap { |append| @attempt.settle(append, nil) } }
    last = taken("d")
    @attempt.settle(last, @head.with(sequence: 1))

    assert_same(appends[1], @attempt.take(1))
    @attempt.settle(appends[1], nil)
    assert_same(appends[2], @attempt.take(1))
    @attempt.settle(appends[2], nil)
    assert_same(last, @attempt.take(1))
    assert_equal(last.frames.bytesize, @attempt.waiting)
    @attempt.settle(last, nil)
    assert_equal([0, nil], [@attempt.waiting, @attempt.take(1)])
  end

  # A request that was given up was carried out all the same, behind the first of those that were appended again.
  def test_a_store_that_has_more_than_was_known_is_believed
    first = taken("a").tap { |append| @attempt.settle(append, nil) }
    second = taken("b")
    @attempt.settle(second, @head.with(sequence: 0))

    assert_same(first, @attempt.take(1))
    @attempt.settle(first, @head.with(sequence: 2))
    assert_equal([nil, nil, 0], [@attempt.outcome, @attempt.take(1), @attempt.waiting])
    assert_equal([2, 3], taken("c").then { |append| [append.after, append.last] })
  end

  def test_a_close_that_was_carried_out_late_is_this_attempt_s
    first = taken("a").tap { |append| @attempt.settle(append, nil) }
    @attempt.close("completed", {})
    close = @attempt.take(1)
    @attempt.settle(close, @head.with(sequence: 0))

    assert_same(first, @attempt.take(1))
    @attempt.settle(first, @head.with(sequence: 2, state: "completed", owner: nil))
    assert_equal(:closed, @attempt.outcome)
  end

  def test_an_end_that_it_has_not_written_is_another_s
    append = taken("a", "b")
    @attempt.settle(append, @head.with(sequence: 1))

    assert_equal(:fenced, @attempt.outcome)
  end

  def test_another_attempt_a_foreign_close_and_a_log_that_is_gone_fence_it
    [@head.with(epoch: 2), @head.with(sequence: 1, state: "completed"), Log::Head.missing("k")].each do |answer|
      setup
      @attempt.settle(taken("a"), answer)

      assert_equal([:fenced, nil, 0], [@attempt.outcome, @attempt.take(1), @attempt.waiting])
    end
  end

  def test_a_stop_that_comes_with_a_lost_answer_is_heard
    append = taken("a")
    @attempt.settle(append, @head.with(sequence: 1, stop_epoch: 1))

    assert_predicate(@attempt, :stopping?)
    close = @attempt.take(1)
    assert_equal([1, 2, "cancelled"], [close.after, close.last, close.state])
  end

  def test_what_was_refused_for_a_stop_goes_with_the_close
    append = taken("a", "b")
    @attempt.settle(append, @head.with(stop_epoch: 1))
    close = @attempt.take(1)

    assert_equal([0, 3, "cancelled"], [close.after, close.last, close.state])
    assert_equal(append.frames, close.frames[0, append.frames.bytesize])
    assert_equal("ab", close.piece.text)
    @attempt.settle(close, nil)
    assert_equal(:stopped, @attempt.outcome)
  end

  private

  def taken(*texts)
    texts.each { |text| @attempt.add(text) { |position| Log::Frames.entry(position, { content: text }) } }
    @attempt.take(1)
  end

  def frames(sequences, texts)
    sequences.zip(texts).map { |sequence, text| Log::Frames.entry(Log::Position.new(1, sequence), { content: text }) }.join
  end
end
