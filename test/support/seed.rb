# frozen_string_literal: true

# Random tests that can be repeated: the seed is minitest's own, and each failure names the round.
#
#   include Seed
#   rounds(200) { |random| assert_equal expected, actual, random.inspect }
module Seed
  private

  def rounds(count)
    count.times do |round|
      seed = Minitest.seed + round
      yield Random.new(seed)
    rescue Minitest::Assertion => error
      raise error.class, "#{error.message}\nRandom.new(#{seed}), round #{round} of --seed #{Minitest.seed}", error.backtrace
    end
  end
end
