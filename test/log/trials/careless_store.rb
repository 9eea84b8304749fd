# frozen_string_literal: true

require "delegate"

module Trials
  # A reader's store, whose wakes are lost, doubled, late and in another order.
  class CarelessStore < SimpleDelegator
    def initialize(store, random)
      super(store)
      @random = random
    end

    def watch(&block)
      kept = []
      super do |keys|
        case @random.rand(4)
        when 0 then nil
        when 1 then 2.times { block.call(keys) }
        when 2 then kept << keys
        else [keys, *kept.slice!(0..).reverse].each { |late| block.call(late) }
        end
      end
    end
  end
end
