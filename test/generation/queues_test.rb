# frozen_string_literal: true

require "test_helper"
require "support/queue_case"

# Streamer::Job on real queues: their own supervisors, dispatchers and workers, in processes of their own.

class SolidQueueTest < Minitest::Test
  include Streamer::Testing::JobConformance
  include QueueCase

  site :solid_queue, { threads: 10, pool: 3 }
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

  def work = @console = site.new_web
end
