# frozen_string_literal: true

module Simulation
  # A promise that was not kept.
  Violation = Class.new(StandardError)
end
