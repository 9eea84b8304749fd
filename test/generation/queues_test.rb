# frozen_string_literal: true

require "test_helper"
require "support/queue_case"

# Streamer::Job on real queues: their own supervisors, dispatchers and workers, in processes of their own.

class SolidQueueTest < Minitest::Test
  include Streamer::Testing::JobConformance
  include QueueCase

  site :solid_queue, { threads: 50, pool: 3 }

  def width = 50
end

# Whose jobs are fibers of one thread, since Solid Queue 1.7.
if Gem.loaded_specs.fetch("solid_queue").version >= Gem::Version.new("1.7")
  class SolidQueueFibersTest < Minitest::Test
    include Streamer::Testing::JobConformance
    include QueueCase

    site :solid_queue, { fibers: 500, pool: 3, queue_pool: 5 }

    def width = 500
  end
end

class SidekiqTest < Minitest::Test
  include Streamer::Testing::JobConformance
  include QueueCase

  site :sidekiq, { threads: 10, pool: 3 }
end

# Whose jobs run in tasks of the process that enqueues them.
class AsyncJobTest < Minitest::Test
  include Streamer::Testing::JobConformance
  include QueueCase

  site :async_job, { pool: 3 }

  attr_reader :console

  # It looks after generations from its first request on.
  def work = @console = site.new_web.tap { |web| web.run("nil") }

  # What is to run later never does on Ruby 3.1: async-job reads the time by what Time.new has since 3.2.
  undef_method :test_what_may_pass_is_tried_again_later if RUBY_VERSION < "3.2"
end
