# frozen_string_literal: true

require "streamer"

# The log's rules, played through: a store in memory, a clock that nobody waits for, and a seed that picks who goes on and what goes wrong.
#
#   Simulation.run(4711)   # raises Simulation::Violation
module Simulation
  # Raises Violation, which names the seed. options: see World.
  def self.run(seed, **options)
    World.new(seed, **options).run
  rescue Violation => error
    raise Violation, "#{error.message}\nto see it again: bin/soak log --seed #{seed} --runs 1", error.backtrace
  end
end

%w[violation scheduler account observed network worker job reader world mistakes].each { |name| require_relative "simulation/#{name}" }
