# frozen_string_literal: true

require "test_helper"
require "log/simulation"

# The log's rules, played through by a seed; `bin/soak log` plays as long as one likes.
class LogSimulationTest < Minitest::Test
  RUNS = 5

  # Runs, each of so many logs, within which a mistake has to be found.
  TRIES = 300
  LOGS = 30

  def test_whatever_goes_wrong_the_promises_are_kept
    followed = Array.new(RUNS) { |number| Simulation.run((Minitest.seed * RUNS) + number).readers_done }

    assert_operator followed.sum, :>, RUNS * 100
  end

  def test_the_same_seed_is_the_same_run
    runs = Array.new(2) { Simulation.run(Minitest.seed, logs: 20) }

    assert_equal(*runs.map { |run| run.scheduler.steps })
    assert_equal(*runs.map { |run| run.store.accounts.transform_values { |account| account.items.map(&:frame) } })
  end

  Simulation::Mistakes.all.each do |name, options|
    define_method(:"test_it_finds_out_when_#{name.tr(" ", "_").gsub(/[^a-z_]/, "")}") do
      assert((0...TRIES).any? { |seed| found?(seed, options) }, "#{TRIES} runs have not found that #{name}")
    end
  end

  def test_it_finds_twenty_mistakes_and_more
    assert_operator Simulation::Mistakes.all.size, :>=, 20
  end

  private

  def found?(seed, options)
    Simulation.run(seed, logs: LOGS, **options)
    false
  rescue Simulation::Violation
    true
  end
end
