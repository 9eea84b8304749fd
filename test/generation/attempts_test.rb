# frozen_string_literal: true

require_relative "generation_case"
require "support/patience"
require "support/error_reports"

# When a model is asked again, and what is left behind wherever the process ends.
class AttemptsTest < GenerationCase
  include Patience
  include ErrorReports

  class Restarting < ActiveJob::Base
    include Streamer::Job

    retry_partial :restart
    def perform(generation) = stream_into(generation) { |out| GenerationCase::Work.source.call(out) }
  end

  # A queue whose server is away.
  class QueueThatIsDown
    def initialize(error) = @error = error
    def enqueue(_job) = raise(@error)
    def enqueue_at(_job, _time) = raise(@error)
    def enqueue_after_transaction_commit? = false
  end

  TRANSIENT = {
    "429" => Streamer::ResponseError.new(429, Streamer::Headers.new({}), ""),
    "503" => Streamer::ResponseError.new(503, Streamer::Headers.new({}), ""),
    "overloaded" => Streamer::UpstreamError.new('{"type":"error","error":{"type":"overloaded_error"}}'), "cut" => Streamer::ClosedError.new("cut"),
    "refused" => Errno::ECONNREFUSED.new, "slow" => Timeout::Error.new
  }.freeze
  PERMANENT = [400, 401, 404, 422].to_h { |status| [status.to_s, Streamer::ResponseError.new(status, Streamer::Headers.new({}), "")] }.freeze

  TRANSIENT.each do |name, error|
    define_method("test_row_54_#{name}_before_any_text_is_followed_by_another_attempt_and_the_reader_sees_no_text_twice") do
      generation = work(start) { raise error }
      work(generation) { |out| out << "once" }

      assert_equal(%w[completed once], generation.slice(:status, :content).values)
      assert_equal(2, generation.upstream_requests.count)
    end
  end

  PERMANENT.each do |name, error|
    define_method("test_#{name}_fails_at_once_with_what_had_come") do
      generation = work(start) { |out| (out << "Half") && raise(error) }

      assert_equal(["failed", "http_#{name}", "Half", 1], [*generation.slice(:status, :error, :content).values, generation.upstream_requests.count])
      assert_nil(generation.upstream_requests.first.usage)
    end
  end

  def test_row_54_a_job_that_the_queue_gives_out_again_mid_stream_keeps_the_text_and_asks_nobody
    generation = start
    died(generation, "Half")
    work(generation) { flunk }

    assert_equal(%w[failed interrupted Half], generation.slice(:status, :error, :content).values)
    assert_equal("The work was interrupted. Please try again.", generation.error_message)
  end

  def test_row_54_with_restart_the_text_of_the_attempt_before_is_void_and_readers_are_told
    generation = start
    died(generation, "Half")
    resets = notifications("reset.streamer") { restart(generation) { |out| out << "Whole" } }

    assert_equal(%w[completed Whole], generation.slice(:status, :content).values)
    assert_equal([["reset", "1-1"]], attempts(generation).drop(1).map { |entry| entry.json.values_at("mode", "from") })
    assert_equal([[generation, 2, 4]], resets.map { |payload| payload.values_at(:generation, :attempt, :bytes) })
    assert_equal([[1, true, 4], [2, false, 5]], generation.upstream_requests.pluck(:attempt, :discarded, :bytes))
  end

  def test_row_84_three_requests_are_three_rows_whatever_the_queue_does
    asked = 0
    generation = start
    5.times { work(generation) { (asked += 1) && raise(Streamer::ClosedError, "cut") } }

    assert_equal([3, 3, "failed", "closed"], [asked, generation.upstream_requests.count, *generation.slice(:status, :error).values])
  end

  def test_row_77_a_terminal_event_of_an_inner_step_ends_nothing
    generation = work(start) do |out|
      out << "one, "
      out.append({ ok: true }, event: "upstream.done")
      out.append({ finish_reason: "stop" }, event: "step_finished")
      out << "two"
    end

    assert_equal(["completed", "one, two"], generation.slice(:status, :content).values)
    assert_equal("done", generation.log.entries.last.type)
  end

  def test_row_79_a_stop_by_a_stale_id_is_ignored_and_answered_with_the_current_state
    generation = start
    answer = nil
    work(generation) { raise Streamer::ClosedError, "cut" }
    work(generation) do |out|
      page = Answer.find(generation.id)
      answer = [page.stop!(attempt: 1), page.status, page.phase]
      out << "all"
    end

    assert_equal([false, "processing", "running"], answer)
    assert_equal(%w[completed all], generation.slice(:status, :content).values)
  end

  def test_row_68_a_log_is_one_generation_s_for_ever_so_a_late_stop_of_one_turn_never_reaches_the_next
    first = work(start) { |out| out << "first" }
    second = start

    refute_equal(first.log_key, second.log_key)
    assert_raises(ActiveRecord::RecordNotUnique) { Answer.insert!({ log_key: first.log_key, created_at: Time.current, updated_at: Time.current }) }
    assert(first.stop!)
    assert_equal(%w[processing queued], second.reload.slice(:status, :phase).values)
  end

  def test_row_46_stop_is_idempotent_on_the_original_on_one_that_was_resumed_and_on_one_that_is_finished
    generation = start
    2.times { assert(Answer.find(generation.id).stop!) }
    again = start
    died(again, "Half")
    2.times { assert(Answer.find(again.id).stop!(attempt: 1)) }
    done = work(start) { |out| out << "all" }
    2.times { assert(done.stop!(attempt: 1)) }

    assert_equal(%w[cancelled cancelled completed], [generation, again, done].map { |one| one.reload.status })
    assert_equal([nil, "Half", "all"], [generation, again, done].map { |one| one.content.presence })
  end

  def test_one_that_waits_for_another_attempt_is_stopped_at_once_and_its_job_does_nothing
    generation = work(start) { raise Streamer::ClosedError, "cut" }

    assert(generation.stop!(attempt: 1))
    work(generation) { flunk }
    assert_equal("cancelled", generation.status)
  end

  def test_one_whose_worker_died_before_it_could_stop_is_cancelled_with_its_text_and_nobody_is_asked
    generation = start
    died(generation, "Half")
    Streamer::Log.store.stop(generation.log_key, epoch: 1)
    restart(generation) { flunk }

    assert_equal(%w[cancelled Half], generation.slice(:status, :content).values)
  end

  def test_row_45_two_tabs_of_which_one_joins_mid_way_get_the_same_text_from_one_request
    generation = start
    go = Thread::Queue.new
    Work.source = ->(out) { 6.times { |number| (number == 3 ? go.pop : nil) || (out << "w#{number} ") } }
    first = Thread.new { followed(generation) }
    worker = Thread.new { Work.new(generation).perform_now }
    wait { generation.log.text == "w0 w1 w2 " }
    second = Thread.new { followed(generation) }
    go << nil

    assert(worker.join(20))
    assert_equal([["w0 w1 w2 w3 w4 w5 "] * 2, 1], [[first, second].map(&:value), generation.reload.upstream_requests.count])
  end

  def test_row_44_a_reader_comes_back_in_the_middle_at_the_end_and_behind_what_is_kept
    generation = work(start) { |out| 4.times { |number| out << "w#{number} " } }
    log = generation.log
    behind = ->(place) { log.entries(after: Streamer::Log::Position.parse(place)).map { |entry| entry.id.to_s } }

    assert_equal([%w[1-3 1-4 1-5], [], "w0 w1 w2 w3 "], [behind.call("1-2"), behind.call("1-5"), followed(generation)])
    Streamer::Log.store.prune(log.key, through: log.head.position)
    assert_equal("w0 w1 w2 w3 ", followed(generation, "w0 ", after: Streamer::Log::Position.parse("1-1")))
  end

  def test_a_queue_that_takes_nothing_ends_the_generation_with_a_message
    with_queue_down(RuntimeError.new("the queue is down")) do
      generation = nil
      errors = reported { generation = start }

      assert_equal(["failed", "not_queued", "The work could not be begun. Please try again."],
                   generation.reload.slice(:status, :error, :error_message).values)
      assert_equal(["the queue is down"], errors.map(&:message))
      assert_predicate(generation.log.head, :closed?)
    end
  end

  def test_a_queue_that_takes_no_further_attempt_ends_it_as_well
    generation = start
    reported do
      with_queue_down(RuntimeError.new("the queue is down")) { work(generation) { raise Streamer::ClosedError, "cut" } }
    end

    assert_equal(%w[failed not_queued], generation.slice(:status, :error).values)
  end

  def test_an_enqueue_that_the_adapter_refuses_ends_it_too
    with_queue_down(ActiveJob::EnqueueError.new("full")) do
      reported { assert_equal("not_queued", start.reload.error) }
    end
  end

  def test_the_record_and_its_log_are_made_together_or_not_at_all
    key = nil
    Answer.transaction do
      key = start.log_key
      raise ActiveRecord::Rollback
    end

    assert_equal(0, Answer.count)
    assert_raises(Streamer::UnknownLogError) { Streamer::Log.find(key) }
    assert_empty(@adapter.enqueued_jobs)
  end

  def test_a_job_is_enqueued_when_the_callers_transaction_is_committed
    Answer.transaction do
      start
      assert_empty(@adapter.enqueued_jobs)
    end

    assert_equal(1, @adapter.enqueued_jobs.size)
  end

  def test_a_key_of_another_owner_starts_another
    mine = start(idempotency_key: "k")
    other = Owner.create!
    theirs = Answer.start!(owner: other, prompt: "?", idempotency_key: "k")

    refute_equal(mine, theirs)
    assert_equal(theirs, Answer.start!(owner: other, prompt: "?", idempotency_key: "k"))
  end

  def test_a_double_click_at_the_limit_is_one_click
    2.times { start }
    third = start(idempotency_key: "k")

    assert_equal(third, start(idempotency_key: "k"))
  end

  def test_a_key_without_a_unique_index_is_refused
    ActiveRecord::Base.connection.remove_index(:answers, %i[owner_id idempotency_key])
    ActiveRecord::Base.connection.schema_cache.clear!

    assert_match(/needs a unique index/, assert_raises(ArgumentError) { start(idempotency_key: "k") }.message)
  end

  def test_a_log_that_is_gone_ends_what_is_in_progress_and_not_what_is_final
    lost, done = start, work(start) { |out| out << "all" }
    [lost, done].each { |generation| generation.log.delete }

    work(lost) { flunk }
    assert_equal(["failed", "log_lost", ""], [*lost.slice(:status, :error).values, lost.text])
    assert(lost.stop!)
    assert_equal(["completed", "all"], [done.reload.status, done.text])
  end

  def test_a_record_that_is_destroyed_meanwhile_ends_its_worker
    generation = start
    Work.source = lambda do |out|
      out << "a"
      Answer.find(generation.id).destroy!
      loop { (out << "b") && sleep(0.005) }
    end
    worker = Thread.new { Work.new(generation).perform_now }

    assert(worker.join(30))
    assert_equal([0, 0], [Answer.count, Streamer::Generation::UpstreamRequest.count])
  end

  def test_a_worker_that_dies_between_the_log_s_close_and_the_record_s_leaves_what_another_mends
    generation = start
    request = generation.upstream_requests.create!(attempt: 1, started_at: Time.current)
    generation.log.write { |out| out << "all of it" }
    work(generation) { flunk }

    assert_equal(["completed", "all of it"], generation.slice(:status, :content).values)
    assert_equal("completed", request.reload.outcome)
  end

  def test_of_a_stop_and_an_end_that_race_one_wins_in_log_and_record
    20.times do |round|
      generation = start
      Work.source = ->(out) { out << "x" }
      worker = Thread.new { Work.new(generation).perform_now }
      stopper = Thread.new { sleep(round * 0.0005) and Answer.find(generation.id).stop! }
      [worker, stopper].each { |thread| assert(thread.join(30)) }
      wait { generation.reload.settle }

      assert_equal(generation.log.head.state, generation.reload.status)
      assert_equal(generation.status, generation.upstream_requests.last&.outcome || "cancelled")
    end
  end

  def test_text_that_is_no_utf8_or_has_a_nul_is_kept_as_well_as_it_can_be
    generation = work(start) { |out| out << "caf\xC3".b << "\xA9 \0 \xFF.".b }

    assert_equal("completed", generation.status)
    assert_equal("café  \u{FFFD}.", generation.content)
  end

  def test_nil_and_what_is_no_string_are_text_too
    generation = work(start) { |out| out << nil << :a << 1 << "" }

    assert_equal("a1", generation.content)
    assert_equal(2, generation.log.entries.count { |entry| entry.kind == :data })
  end

  def test_an_answer_beyond_what_a_log_takes_fails_and_keeps_what_there_is
    generation = work(start) { |out| loop { out << ("x" * 8_000_000) } }

    assert_equal(["failed", "log_full", "The answer is too long. What there is of it was kept."],
                 generation.slice(:status, :error, :error_message).values)
    assert_operator(generation.content.bytesize, :>, 50_000_000)
  end

  def test_messages_are_the_application_s_in_its_languages
    I18n.backend.store_translations(:en, streamer: { generation: { refused: "Abgelehnt.", limit_reached: "Schon %<count>d unterwegs." } })
    3.times { start }

    assert_equal("Schon 3 unterwegs.", assert_raises(Streamer::LimitReachedError) { start }.message)
    assert_equal("Abgelehnt.", work(Answer.first) { raise PERMANENT.fetch("401") }.error_message)
  ensure
    I18n.reload!
  end

  private

  def with_queue_down(error)
    ActiveJob::Base.queue_adapter = QueueThatIsDown.new(error)
    yield
  ensure
    ActiveJob::Base.queue_adapter = @adapter
  end

  # As a worker leaves it that was killed: its lease is over.
  def died(generation, text)
    @now = 0
    store = Streamer::Stores::Memory.new(clock: -> { @now })
    Streamer::Log.store = store
    Streamer::Log.create(generation.log_key)
    store.claim(generation.log_key, owner: "killed", lease: 30)
    frame = Streamer::Log::Frames.entry(Streamer::Log::Position.new(1, 1), { content: text }, event: "token")
    store.append([Streamer::Log::Append.new(key: generation.log_key, epoch: 1, after: 0, last: 1, frames: frame)])
    generation.upstream_requests.create!(attempt: 1, started_at: Time.current)
    @now += 31
  end

  # What a page shows that follows it to its end.
  def followed(generation, shown = "", after: Streamer::Log::Position::START)
    text = shown.dup
    generation.log.follow(after: after) do |entry|
      text.clear if entry.kind == :attempt && entry.json["mode"] == "reset"
      entry.kind == :gap ? text.replace(entry.json["content"]) : text << entry.json["content"].to_s
    end
    text
  end

  def restart(generation, &source)
    Work.source = source
    Restarting.new(generation).perform_now
    generation.reload
  end

  def attempts(generation) = generation.log.entries.select { |entry| entry.kind == :attempt }

  def notifications(name)
    payloads = []
    subscription = ActiveSupport::Notifications.subscribe(name) { |*, payload| payloads << payload }
    yield
    payloads
  ensure
    ActiveSupport::Notifications.unsubscribe(subscription)
  end
end
