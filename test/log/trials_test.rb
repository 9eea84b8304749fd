# frozen_string_literal: true

require "test_helper"
require "log/trials"

# What the simulation shows of the rules, on real databases and with real processes; `bin/soak sqlite` plays as long as one likes.
module LogTrials
  Trial = Trials::Trial
  COMPLETED = /\Aclosed completed \d+\z/

  def teardown
    site.close
  end

  def site = @site ||= self.class::SITE.new

  # On a busy machine leases run out that should not, and another attempt goes on: what is told may be more than what the tests are about.

  def test_row_67_a_writer_that_stood_still_past_its_lease_adds_nothing_more_and_is_told
    told = trial(happens: %i[overtake], at_most: 1, entries: 1000).told

    assert_equal "fenced 1", told.first
    assert_match COMPLETED, told.last
  end

  def test_row_74_a_writer_that_is_killed_at_any_point_of_an_append_leaves_neither_a_hole_nor_a_double
    told = trial(happens: [], points: site.points, entries: 200).told

    assert_equal site.points.size, told.count("")
    assert_match COMPLETED, told.last
  end

  def test_rows_96_and_97_an_end_that_the_database_has_lost_comes_back_with_the_same_bytes
    trial = trial(happens: %i[lose_end], entries: 200)

    assert_includes trial.happened, :lose_end
    assert_match COMPLETED, trial.told.last
  end

  def test_a_database_that_is_locked_restarted_or_cuts_connections_loses_nothing
    assert_match COMPLETED, trial(happens: site.faults - %i[lose_end], entries: 200).told.last
  end

  def test_writers_whose_clocks_are_an_hour_wrong_write_as_others
    assert_match COMPLETED, trial(happens: %i[clock]).told.last
  end

  # "nothing": the stop came before the writer.
  def test_row_79_and_80_a_stop_by_another_process_ends_the_attempt
    assert_match(/\A(closed (cancelled|completed) \d|nothing)\z/, trial(happens: %i[stop], entries: 200).told.last)
  end

  def test_whatever_happens_readers_have_the_text_that_the_close_says
    trial
  end

  private

  def trial(...) = Trial.new(site, Minitest.seed, ...).run
end

class SQLiteTrialsTest < Minitest::Test
  include LogTrials

  SITE = Trials::SQLiteSite
end

class PostgreSQLTrialsTest < Minitest::Test
  include LogTrials

  SITE = Trials::PostgreSQLSite
end

class RedisTrialsTest < Minitest::Test
  include LogTrials

  SITE = Trials::RedisSite
end
