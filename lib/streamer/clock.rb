# frozen_string_literal: true

module Streamer
  # Seconds that only go forward; all deadlines and durations are made of them.
  module Clock # :nodoc:
    def self.now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
  private_constant :Clock
end
