# frozen_string_literal: true

# For tests of what others do meanwhile, in threads and processes of their own.
module Patience
  private

  # The block's value, once it is true.
  def wait(timeout: 20)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + timeout
    until (value = yield)
      flunk "not within #{timeout} s" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
      sleep 0.005
    end
    value
  end
end
