# frozen_string_literal: true

require "generation/generation_case"
require "streamer/testing/job_conformance"
require "support/broken_queues"
require "support/considerate_sqlite"

# The suite for queues, itself: it passes on a queue that keeps its rules, each of its tests fails where its rule is broken, and there is no
# rule without a queue that breaks it.
class JobConformanceTest < GenerationCase
  # Does what the suite wants of an application's job.
  class Reader < ActiveJob::Base
    include Streamer::Job

    cattr_accessor :queue

    def perform(generation)
      queue.ask(generation.prompt)
      stream_into(generation, Streamer::Client.new(generation.prompt).request(:get), value: "choices.0.delta.content")
    end
  end

  class Model < ActiveRecord::Base
    self.table_name = "answers"
    include GlobalID::Identification
    include Streamer::Generation

    streams_in Reader
  end

  SUITE = Class.new(Minitest::Test) { include Streamer::Testing::JobConformance }
  Minitest::Runnable.runnables.delete(SUITE)

  def setup
    super
    Model.reset_column_information
  end

  SUITE.public_instance_methods.grep(/\Atest_/).each do |name|
    define_method(:"test_a_queue_that_keeps_the_rules_passes_#{name.to_s.delete_prefix("test_")}") do
      assert_empty(failures_of(name, BrokenQueues::Threads, patience: 20))
    end
  end

  BrokenQueues.all.each do |name, queue, settings|
    define_method(:"test_the_suite_finds_a_queue_that_breaks_#{name.to_s.delete_prefix("test_")}") do
      refute_empty(failures_of(name, queue, patience: 3, **settings), "#{name} passes on a queue that breaks it")
    end
  end

  def test_each_rule_is_broken_by_some_queue
    assert_empty(SUITE.public_instance_methods.grep(/\Atest_/) - BrokenQueues.all.map(&:first))
  end

  private

  def failures_of(name, queue_class, patience:, partial: :keep, reaps: true)
    Reader.queue_adapter = Reader.queue = queue = queue_class.new
    Reader.retry_partial(partial)
    looking = Thread.new { look_after } if reaps
    suite(queue, patience).new(name.to_s).run.failures
  ensure
    looking&.kill&.join
  end

  def suite(queue, patience)
    Class.new(SUITE) do
      define_method(:generation_class) { Model }
      define_method(:work) { queue.work }
      define_method(:cancel) { |id| queue.cancel(Model.find(id)) }
      define_method(:patience) { patience }
      define_method(:width) { 6 }
      define_method(:lease) { 1 }
    end.tap { |suite| Minitest::Runnable.runnables.delete(suite) }
  end

  def look_after
    reaper = Streamer::Log::Background.of(Streamer::Log.store).reaper
    loop do
      reaper.round
      sleep(0.1)
    end
  end
end
