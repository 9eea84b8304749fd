# frozen_string_literal: true

require "test_helper"
require "support/queue_case"

# What becomes of generations whose worker vanishes, with Solid Queue's processes, on an application that has broken answers begin anew.
# Numbers in names are rows of the table of failures that issue 13 names.
class RecoveryTest < Minitest::Test
  include Streamer::Testing::JobConformance::Support
  include QueueCase

  site :solid_queue, { threads: 5, partial: :restart }

  def setup
    @solid_queue = worker
  end

  def test_47_54_81_followers_are_told_of_a_killed_worker_and_see_the_next_attempt_begin_anew
    id, path = begun(halting)
    console.run("follow(#{id})")
    delivered(id, "t0 ")
    @solid_queue.kill
    eventually("the follower's notice") { console.run("followed(#{id})").last == %w[state recovering] }
    worker

    assert_equal(["completed", "t0 t1 t2 ", %w[interrupted completed]], ended(id).to_h.values_at(:status, :content, :outcomes))
    seen = eventually("the end in the follower") { console.run("followed(#{id})").then { |all| all if all.last.first == "close" } }

    assert_equal(%w[attempt data attempt data data data close], seen.map(&:first).grep_v("state"))
    assert_equal(2, requests(path).size)
  end

  def test_67_a_worker_that_was_stopped_past_its_lease_writes_nothing_more_and_leaves_its_upstream
    go, @seen = Queue.new, Queue.new
    id, path = begun(endless, ->(exchange) { go.pop && exchange.openai(tokens: 3) })
    delivered(id, "t0 ")
    @seen << true
    stopped = site.workers
    stopped.each { |pid| Process.kill(:STOP, pid) }
    worker
    asked(path, 2)
    stopped.each { |pid| Process.kill(:CONT, pid) }

    assert(asked(path, 1).wait_gone(patience), "the stopped worker's upstream is left")
    go << true

    assert_equal(["completed", "t0 t1 t2 ", %w[interrupted completed]], ended(id).to_h.values_at(:status, :content, :outcomes))
    epochs = console.run("QueueApp::Answer.find(#{id}).log.entries.map { |entry| entry.id.to_i }")

    assert_equal(epochs.sort, epochs, "no entry of the first attempt behind the second one's first")
  end

  def test_83_a_generation_at_which_worker_after_worker_vanishes_fails_with_its_text
    id, path = begun(halting, halting, halting)
    3.times do |number|
      asked(path, number + 1)
      delivered(id, "t0 ")
      kill_workers
    end

    assert_equal(["failed", "t0 ", "interrupted", %w[interrupted interrupted interrupted]],
                 ended(id).to_h.values_at(:status, :content, :error, :outcomes))
    assert_equal(3, requests(path).size)
  end

  def test_a_process_of_the_web_ends_what_no_worker_comes_to
    id, path = begun(halting)
    delivered(id, "t0 ")
    console.run("QueueApp::Job.retry_streams(interruptions: 1)")
    @solid_queue.kill

    assert_equal(%w[failed interrupted], ended(id).to_h.values_at(:status, :error))
    assert_equal(1, requests(path).size)
  ensure
    console.run("QueueApp::Job.retry_streams(interruptions: 3)")
  end

  def test_what_solid_queue_gives_up_because_its_worker_died_before_it_began_is_enqueued_again
    @solid_queue.stop
    id, path = begun
    console.run(<<~RUBY)
      dead = SolidQueue::Process.register(kind: "Worker", pid: 1, name: "dead", hostname: "nowhere")
      SolidQueue::ReadyExecution.claim("*", 10, dead.id)
      SolidQueue::ClaimedExecution.fail_all_with(RuntimeError.new("gone")) && nil
    RUBY
    worker

    assert_equal(["completed", ["completed"]], ended(id).to_h.values_at(:status, :outcomes))
    assert_equal(1, requests(path).size)
  end

  def test_82_what_nobody_begins_in_time_is_timed_out
    @solid_queue.stop
    console.run("QueueApp::Answer.queue_deadline = 1")
    id, path = begun

    assert_equal(%w[timed_out queue_deadline], ended(id).to_h.values_at(:status, :error))
    worker

    assert_quiet(id, path)
    assert_empty(requests(path))
  ensure
    console.run("QueueApp::Answer.queue_deadline = 600")
  end

  private

  # One token after the other until whoever reads is gone.
  def endless
    lambda do |exchange|
      exchange.head.chunk(Streamer::Testing::Upstream.token(0))
      @seen.pop
      loop { exchange.chunk(Streamer::Testing::Upstream.token(9)).pause(0.05) }
    end
  end

  # Solid Queue's children, which its supervisor replaces.
  def kill_workers = site.workers.each { |pid| Process.kill(:KILL, pid) }
end
