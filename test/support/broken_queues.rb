# frozen_string_literal: true

require "active_job"

# A queue of threads in the test's own process, and with one rule broken each the tests of Streamer::Testing::JobConformance that have to fail
# on it.
module BrokenQueues
  # Its workers are threads; one that is killed is gone without a word of it to the queue.
  class Threads < ActiveJob::QueueAdapters::AbstractAdapter
    attr_reader :jobs
    attr_accessor :ending

    def initialize
      super
      @jobs = Thread::Queue.new
    end

    def enqueue_after_transaction_commit? = true
    def enqueue(job) = jobs << job.serialize
    def enqueue_at(job, _timestamp) = enqueue(job) # tests have no time
    def stopping? = ending
    def threads = 6
    def work = Worker.new(self)
    def cancel(generation) = generation.stop!
    def ask(url) = nil
  end

  # Takes jobs until it is told to end.
  class Worker
    def initialize(queue)
      @queue = queue
      queue.ending = false
      @threads = Array.new(queue.threads) { Thread.new { run } }
      @threads.each { |thread| thread.report_on_exception = false }
    end

    def stop
      @queue.ending = true
      kill unless @threads.all? { |thread| thread.join(3) }
    end

    def kill = @threads.each { |thread| thread.kill.join }

    private

    def run
      until @queue.ending
        data = take
        data ? ActiveJob::Base.execute(data) : sleep(0.01)
      end
    end

    def take
      @queue.jobs.pop(true)
    rescue ThreadError
      nil
    end
  end

  # [test's name, class of the queue, settings of the suite]
  @all = []

  class << self
    attr_reader :all

    private

    def broken(*names, partial: :keep, reaps: true, &body)
      queue = const_set("Broken#{@all.size}", Class.new(Threads, &body)) # an adapter has a name
      names.each { |name| @all << [name, queue, { partial: partial, reaps: reaps }] }
    end
  end

  broken(:test_a_job_streams_its_generation_to_the_end) { def enqueue(_job) = nil }

  # Asks before it has claimed.
  broken(:test_of_two_deliveries_at_once_one_asks_the_upstream, :test_a_delivery_after_the_end_asks_nobody) do
    def ask(url)
      Thread.new { Streamer::Client.new(url, timeouts: { total: 1 }).get.read }.report_on_exception = false
    end
  end

  broken(:test_what_may_pass_is_tried_again_later) { def enqueue_at(*) = nil }

  broken(:test_a_stop_reaches_a_silent_upstream) { def cancel(_generation) = true }

  broken(:test_more_generations_wait_at_once_than_there_are_database_connections) { def threads = 2 }

  broken(:test_a_worker_that_is_told_to_end_leaves_a_silent_upstream_and_another_begins_at_once, reaps: false) { def stopping? = false }

  broken(:test_a_worker_that_is_told_to_end_keeps_what_was_delivered, :test_a_killed_worker_s_text_is_kept, partial: :restart)

  broken(:test_a_killed_worker_s_generation_is_begun_again_when_its_lease_is_over, reaps: false)
end
