# frozen_string_literal: true

require "test_helper"
require "rbconfig"

# Streamer.stats in a process that has done nothing, such as the parent of a cluster.
class StatsTest < Minitest::Test
  LIB = File.expand_path("../../lib", __dir__)

  def test_stats_start_no_thread
    script = 'require "streamer"; threads = -> { Dir["/proc/self/task/*"].size }; before = threads.call; stats = Streamer.stats; ' \
             'print Thread.list.size, " ", stats.values.uniq.inspect, " ", threads.call - before'
    out = IO.popen([RbConfig.ruby, "-I#{LIB}", "-e", script], &:read)

    assert_equal "1 [0] 0", out
  end

  def test_they_have_the_same_names_before_and_after_the_first_request
    script = 'require "streamer"; before = Streamer.stats.keys; Streamer.get("http://127.0.0.1:1/") rescue nil; print before == Streamer.stats.keys'

    assert_equal "true", IO.popen([RbConfig.ruby, "-I#{LIB}", "-e", script], &:read)
  end
end
