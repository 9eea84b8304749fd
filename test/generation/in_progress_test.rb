# frozen_string_literal: true

require_relative "generation_case"
require "support/patience"

# How many generations may be in progress, and what becomes of those beyond.
class InProgressTest < GenerationCase
  include Patience

  class Queued < Answer
    self.in_progress_limits = []
    limit_in_progress 1, per: :owner, queue: 3
  end

  class Interrupting < Answer
    self.in_progress_limits = []
    limit_in_progress 1, per: :owner, interrupt: true
  end

  def test_beyond_the_limit_the_next_waits_its_turn_in_order_and_begins_when_a_slot_is_free
    first, second, third = Array.new(3) { queued }

    assert_equal([%w[queued waiting waiting], 1], [phases(first, second, third), @adapter.enqueued_jobs.size])
    work(first) { |out| out << "a" }
    assert_equal([[nil, "queued", "waiting"], 2], [phases(first, second, third), @adapter.enqueued_jobs.size])
    second.stop!
    assert_equal([nil, nil, "queued"], phases(first, second, third))
  end

  def test_a_newcomer_does_not_overtake_whoever_waits
    first, second = queued, queued
    Queued.where(id: first.id).update_all(status: "completed", phase: nil) # and nobody has given the turn on yet

    assert_equal(%w[waiting waiting], phases(second, third = queued))
    second.give_turns
    assert_equal(%w[queued waiting], phases(second, third))
  end

  def test_no_more_than_the_queue_holds_may_wait
    4.times { queued }

    assert_raises(Streamer::LimitReachedError) { queued }
    assert(Queued.start!(owner: Owner.create!, prompt: "?"))
  end

  def test_one_that_waits_is_stopped_and_its_place_is_free
    first, second, third = Array.new(3) { queued }
    assert(second.stop!)
    work(first) { |out| out << "a" }

    assert_equal(%w[cancelled queued], [second.reload.status, third.reload.phase])
  end

  def test_the_oldest_is_stopped_for_the_next_which_begins_when_it_has_ended
    first = Interrupting.start!(owner: @owner, prompt: "?")
    Work.source = ->(out) { (out << "Half") && sleep }
    worker = Thread.new { Work.new(first).perform_now }
    wait { first.log.text == "Half" }
    second = Interrupting.start!(owner: @owner, prompt: "?")

    assert(worker.join(20))
    assert_equal(%w[cancelled Half], first.reload.slice(:status, :content).values)
    wait { second.reload.phase == "queued" }
    assert_equal(2, @adapter.enqueued_jobs.size)
  end

  def test_a_queued_one_is_interrupted_at_once
    first, second = Array.new(2) { Interrupting.start!(owner: @owner, prompt: "?") }

    assert_equal(%w[cancelled processing], [first, second].map { |one| one.reload.status })
    assert_equal("queued", second.phase)
  end

  def test_a_slot_is_free_when_its_holder_s_lease_is_over
    now = 0
    Streamer::Log.store = store = Streamer::Stores::Memory.new(clock: -> { now })
    three = Array.new(3) { start }
    three.each { |generation| store.claim(generation.log_key, owner: "killed", lease: 30) }
    assert_raises(Streamer::LimitReachedError) { start }
    now += 31

    assert(start)
  end

  def test_whoever_waits_begins_when_the_holder_s_lease_is_over_and_nobody_came_to_end_it
    now = 0
    Streamer::Log.store = store = Streamer::Stores::Memory.new(clock: -> { now })
    first, second = queued, queued
    store.claim(first.log_key, owner: "killed", lease: 30)
    Streamer::Generation::Upkeep.round
    assert_equal("waiting", second.reload.phase)
    now += 31
    Streamer::Generation::Upkeep.round

    assert_equal("queued", second.reload.phase)
  end

  def test_one_that_waits_for_its_next_attempt_keeps_its_slot
    three = Array.new(3) { start }
    work(three.first) { raise Streamer::ClosedError, "cut" }

    assert_raises(Streamer::LimitReachedError) { start }
  end

  def test_a_provider_s_limit_is_that_of_all_owners_and_models
    Streamer::Generation.limit_in_progress(2, per: :provider)
    start(provider: "openai")
    Answer.start!(owner: Owner.create!, prompt: "?", provider: "openai")
    error = assert_raises(Streamer::LimitReachedError) { Answer.start!(owner: Owner.create!, prompt: "?", provider: "openai") }

    assert_equal([2, :provider], [error.count, error.per])
    assert(start(provider: "mistral"))
  ensure
    Streamer::Generation.in_progress_limits.clear
  end

  def test_the_application_s_limit_is_that_of_all_together
    Streamer::Generation.limit_in_progress(2)
    2.times { Answer.start!(owner: Owner.create!, prompt: "?") }

    assert_raises(Streamer::LimitReachedError) { Answer.start!(owner: Owner.create!, prompt: "?") }
  ensure
    Streamer::Generation.in_progress_limits.clear
  end

  def test_a_model_below_another_counts_its_own
    3.times { start }

    assert_equal("queued", queued.phase)
    assert_raises(Streamer::LimitReachedError) { start }
  end

  def test_limits_that_are_none_are_refused
    assert_raises(ArgumentError) { Answer.limit_in_progress(0) }
    assert_raises(ArgumentError) { Answer.limit_in_progress(1, queue: true, interrupt: true) }
  end

  def test_twenty_threads_never_get_beyond_the_limit
    started = Array.new(20) do
      Thread.new do
        Answer.start!(owner: @owner, prompt: "?")
      rescue Streamer::LimitReachedError
        nil
      ensure
        ActiveRecord::Base.connection_handler.clear_active_connections!
      end
    end.map(&:value)

    assert_equal(3, started.compact.size)
    assert_equal(3, Answer.in_progress.count)
  end

  def test_the_statistics_of_a_model_and_of_all
    work(start) do |out|
      out << "a"
      out.usage = { input_tokens: 1, output_tokens: 2 }
    end
    work(start) { raise Streamer::ResponseError.new(400, Streamer::Headers.new({}), "") }
    queued
    queued
    stats = Streamer::Generation.stats

    assert_equal([4, 1, 1, 2, 1, 1, 2, 1, 0], stats.values_at(:total, :completed, :failed, :in_progress, :waiting, :queued, :upstream_requests,
                                                              :unknown_usage, :overdue_leases))
    assert_equal({ requests: 0, bytes: 0, usage: {} }, stats[:discarded])
    assert_operator(stats[:first_chunk][:p99], :<=, stats[:duration][:p99])
    assert_kind_of(Integer, stats[:process][:followers])
    assert_equal(2, Queued.stats[:total])
  end

  def test_every_end_is_told_to_whoever_listens
    ends = []
    subscription = ActiveSupport::Notifications.subscribe("generation.streamer") { |*, payload| ends << payload.slice(:status, :error) }
    work(start) { |out| out << "a" }
    start.stop!

    assert_equal([{ status: "completed", error: nil }, { status: "cancelled", error: nil }], ends)
  ensure
    ActiveSupport::Notifications.unsubscribe(subscription)
  end

  private

  def queued = Queued.start!(owner: @owner, prompt: "?")

  def phases(*generations) = generations.map { |generation| generation.reload.phase }
end
