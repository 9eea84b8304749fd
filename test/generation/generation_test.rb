# frozen_string_literal: true

require_relative "generation_case"

class GenerationTest < GenerationCase
  def test_a_generation_is_queued_worked_on_and_completed_with_its_text
    generation = start

    assert_equal(%w[processing queued], [generation.status, generation.phase])
    assert_equal(1, @adapter.enqueued_jobs.size)
    work(generation) do |out|
      out << "Be" << "cause."
      out.usage = { input_tokens: 3, output_tokens: 2 }
    end

    assert_equal(["completed", nil, "Because."], [generation.status, generation.phase, generation.content])
    assert_equal({ "input_tokens" => 3, "output_tokens" => 2 }, generation.usage)
    assert(generation.started_at && generation.first_chunk_at && generation.finished_at)
    assert_equal([[1, "completed"]], generation.upstream_requests.pluck(:attempt, :outcome))
  end

  def test_one_key_starts_one_generation
    first = start(idempotency_key: "click")

    assert_equal(first, start(idempotency_key: "click"))
    assert_equal(1, Answer.count)
    assert_equal(1, @adapter.enqueued_jobs.size)
  end

  def test_the_limit_counts_who_is_queued_or_leased_and_refuses_the_next
    three = Array.new(3) { start }
    error = assert_raises(Streamer::LimitReachedError) { start }

    assert_equal("3 answers are in progress already. Please wait until one of them is there.", error.message)
    work(three.first) { |out| out << "done" }

    assert(start)
  end

  def test_a_permanent_error_fails_at_once_with_a_message_for_people_and_the_text_kept
    generation = work(start) do |out|
      out << "Half"
      raise Streamer::ResponseError.new(401, Streamer::Headers.new({}), "no key")
    end

    assert_equal(["failed", "http_401", "The service refused the request.", "Half"],
                 [generation.status, generation.error, generation.error_message, generation.content])
  end

  def test_an_error_that_may_pass_is_tried_again_when_nothing_was_delivered
    generation = start
    @adapter.enqueued_jobs.clear
    work(generation) { raise Streamer::ClosedError, "cut" }

    assert_equal(%w[processing queued], [generation.status, generation.phase])
    assert_equal(1, @adapter.enqueued_jobs.size)
    work(generation) { |out| out << "now" }

    assert_equal(%w[completed now], [generation.status, generation.content])
    assert_equal([[1, "failed"], [2, "completed"]], generation.upstream_requests.pluck(:attempt, :outcome))
  end

  def test_three_requests_and_no_more
    generation = start
    3.times { work(generation) { raise Streamer::IdleTimeoutError, "silent" } }

    assert_equal(["timed_out", "idle_timeout"], [generation.status, generation.error])
    assert_equal(3, generation.upstream_requests.count)
  end

  def test_what_was_delivered_is_kept_and_not_paid_for_twice_unless_the_job_says_so
    generation = start
    @adapter.enqueued_jobs.clear
    work(generation) { |out| out << "Half" and raise Streamer::ClosedError, "cut" }

    assert_equal(%w[failed Half], [generation.status, generation.content])
    assert_empty(@adapter.enqueued_jobs)
  end

  def test_a_stop_from_elsewhere_cancels_and_a_stop_of_an_earlier_attempt_does_nothing
    generation = start
    work(generation) do |out|
      out << "Part"
      generation.stop!(attempt: out.attempt - 1)
      generation.stop!(attempt: out.attempt)
      sleep(0.01) until begin
        out << "."
        false
      rescue Streamer::StoppedError
        true
      end
      raise Streamer::StoppedError, "stopped"
    end

    assert_equal("cancelled", generation.status)
    assert_operator(generation.content, :start_with?, "Part")
  end

  def test_a_queued_one_is_stopped_at_once
    generation = start

    assert(generation.stop!)
    assert_equal("cancelled", generation.reload.status)
  end

  def test_two_jobs_with_one_generation_one_works
    generation = start
    requests = 0
    work(generation) do |out|
      requests += 1
      Work.new(generation).perform_now
      out << "once"
    end

    assert_equal([1, "once"], [requests, generation.content])
  end
end

# What becomes of those that somebody left behind.
class GenerationUpkeepTest < GenerationCase
  def setup
    super
    @now = 0
    Streamer::Log.store = @store = Streamer::Stores::Memory.new(clock: -> { @now })
    @reaper = Streamer::Log::Background.new(@store).reaper
  end

  def test_a_killed_worker_s_generation_is_worked_on_again_once
    generation = start
    @store.claim(generation.log_key, owner: "killed", lease: 30)
    @now += 31
    @adapter.enqueued_jobs.clear
    3.times { @reaper.round }

    assert_equal(1, @adapter.enqueued_jobs.size)
    assert_equal("recovering", generation.reload.phase)
    work(generation) { |out| out << "again" }

    assert_equal(%w[completed again], [generation.status, generation.content])
  end

  def test_after_three_interruptions_it_fails
    generation = start
    3.times do
      assert(@store.claim(generation.log_key, owner: "killed #{@now}", lease: 30))
      @now += 31
    end
    @reaper.round

    assert_equal(%w[failed interrupted], [generation.reload.status, generation.error])
  end

  def test_what_nobody_began_in_time_is_timed_out_and_its_slot_free
    generation = start
    Answer.update_all(created_at: 11.minutes.ago, updated_at: 11.minutes.ago)
    @reaper.round

    assert_equal(%w[timed_out queue_deadline], [generation.reload.status, generation.error])
  end

  def test_a_record_whose_worker_died_between_the_log_s_close_and_its_own_is_mended
    generation = start
    generation.log.write { |out| out << "all of it" }
    Answer.update_all(updated_at: 2.minutes.ago)
    @reaper.round

    assert_equal(["completed", "all of it"], [generation.reload.status, generation.content])
  end

  def test_statistics
    work(start) { |out| out << "a" }
    work(start) { raise Streamer::ResponseError.new(400, Streamer::Headers.new({}), "") }
    start
    stats = Answer.stats

    assert_equal([3, 1, 1, 1, 1], stats.values_at(:total, :completed, :failed, :in_progress, :queued))
    assert_in_delta(0.5, stats[:failed_share])
    assert_operator(stats[:duration][:p95], :>=, 0)
  end
end
