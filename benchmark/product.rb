# frozen_string_literal: true

require_relative "support/parts_stage"
require_relative "parts/product/day"
require_relative "parts/product/rush"

module Bench
  # What people get of it: an application that waits for a model, and one whose answers outlive the request.
  class Product < PartsStage
    PARTS = [Day, Rush].freeze

    def check = build(Day, nil).check

    private

    def build(part, report) = part.new(report, reduced: !@size.long_relay)
  end
end
