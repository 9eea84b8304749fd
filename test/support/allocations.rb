# frozen_string_literal: true

# How many Ruby objects a block makes, garbage collection kept out of it.
module Allocations
  private

  def allocations
    GC.disable
    before = GC.stat(:total_allocated_objects)
    yield
    GC.stat(:total_allocated_objects) - before
  ensure
    GC.enable
  end
end
