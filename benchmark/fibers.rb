# frozen_string_literal: true

require_relative "support/parts_stage"
require_relative "parts/falcon"

module Bench
  # The relay in fibers.
  class Fibers < PartsStage
    PARTS = [OnFalcon, FlatOnFalcon].freeze
  end
end
