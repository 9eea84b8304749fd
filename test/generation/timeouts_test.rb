# frozen_string_literal: true

require_relative "generation_case"
require "streamer/testing"
require "support/patience"
require "async"

# What a job's class allows in time holds wherever the text comes from, and what had come is kept.
class GenerationTimeoutsTest < GenerationCase
  include Patience

  class Asking < ActiveJob::Base
    include Streamer::Job

    cattr_accessor :upstream

    def perform(generation) = stream_into(generation, upstream, value: ("choices.0.delta.content" if upstream.is_a?(Streamer::Request)))
  end

  def setup
    super
    @silent = Streamer::Testing::Upstream.new do |exchange|
      exchange.head
      exchange.request.target[/words=(\d+)/, 1].to_i.times { |number| exchange.chunk(Streamer::Testing::Upstream.token(number)) }
      exchange.request.target.include?("drip") ? 600.times { drip(exchange) } : exchange.stall
    end
  end

  def teardown
    @silent.stop
    super
  end

  def test_a_request_without_a_first_event_is_tried_again_and_possibly_billed_each_time
    generation = asked("?words=0", first_event: 0.1)

    assert_equal(%w[processing queued], [generation.status, generation.phase])
    assert_equal([["timed_out", nil]], generation.upstream_requests.pluck(:outcome, :usage))
  end

  def test_a_request_that_falls_silent_is_timed_out_with_its_text_and_a_message
    generation = asked("?words=2", event_idle: 0.1)

    assert_equal(["timed_out", "event_idle_timeout", "t0 t1 ", "The service did not answer in time. Please try again."],
                 [generation.status, generation.error, generation.content, generation.error_message])
  end

  def test_the_total_bounds_a_request_that_never_ends
    generation = asked("?drip&words=1", total: 0.4)

    assert_equal(%w[timed_out total_timeout], [generation.status, generation.error])
    assert_operator(generation.content, :start_with?, "t0 ")
    assert_in_delta(0.4, generation.finished_at - generation.started_at, 10)
  end

  def test_a_client_that_allows_less_is_believed
    generation = asked("?drip&words=1", total: 60) { |request| request.with(timeouts: request.timeouts.merge(total: 0.3)) }

    assert_equal(%w[timed_out total_timeout], [generation.status, generation.error])
  end

  def test_a_block_without_a_first_word_is_interrupted_where_it_waits
    generation = block(first_event: 0.1) { sleep }

    assert_equal(%w[processing queued], [generation.status, generation.phase])
    assert_equal(["timed_out"], generation.upstream_requests.pluck(:outcome))
  end

  def test_a_block_that_falls_silent_is_interrupted_and_its_text_kept
    generation = block(event_idle: 0.1) { |out| (out << "Half") && sleep }

    assert_equal(%w[timed_out event_idle_timeout Half], [generation.status, generation.error, generation.content])
  end

  def test_a_block_that_takes_every_error_for_its_own_is_ended_all_the_same
    generation = block(event_idle: 0.1) do |out|
      out << "Half"
      begin
        sleep
      rescue StandardError
        retry
      end
    end

    assert_equal(%w[timed_out Half], [generation.status, generation.content])
  end

  def test_the_total_bounds_a_block_that_writes_for_ever
    generation = block(total: 0.4) { |out| loop { (out << ".") && sleep(0.01) } }

    assert_equal(%w[timed_out total_timeout], [generation.status, generation.error])
  end

  def test_a_block_in_a_fiber_is_interrupted_and_its_neighbours_are_not
    Work.stream_timeouts(event_idle: 0.2)
    generations = [start, start]
    naps = [600, 0.01]
    Work.source = lambda do |out|
      nap = naps.shift
      out << "a"
      sleep(nap)
      out << "b"
    end
    Sync { |task| generations.map { |generation| task.async { Work.new(generation).perform_now } }.each(&:wait) }

    assert_equal([%w[timed_out a], %w[completed ab]], generations.map { |one| one.reload.slice(:status, :content).values })
  ensure
    Work.stream_timeouts(event_idle: 30)
  end

  def test_a_stop_ends_a_block_that_waits_in_silence
    generation = start
    Work.source = ->(out) { (out << "Half") && sleep }
    worker = Thread.new { Work.new(generation).perform_now }
    wait { generation.log.text == "Half" }

    assert(generation.stop!(attempt: 1))
    assert(worker.join(20), "the block still waits")
    assert_equal(%w[cancelled Half], generation.reload.slice(:status, :content).values)
    assert_equal(["cancelled"], generation.upstream_requests.pluck(:outcome))
  end

  def test_row_67_the_upstream_of_a_worker_that_has_lost_its_log_is_closed
    now = 0
    Streamer::Log.store = store = Streamer::Stores::Memory.new(clock: -> { now })
    generation = start
    left = nil
    Work.source = lambda do |out|
      out << "old"
      sleep
    ensure
      left = true
    end
    worker = Thread.new { Work.new(generation).perform_now }
    wait { generation.log.text == "old" }
    now += 31
    assert(store.claim(generation.log_key, owner: "another", lease: 30, mode: "reset"))
    store.wake([generation.log_key])

    assert(worker.join(20))
    assert(left)
    assert_equal(["interrupted"], generation.upstream_requests.pluck(:outcome))
  end

  def test_what_was_begun_long_ago_is_not_begun_again
    generation = block(total: 600) { raise Streamer::ClosedError, "cut" }
    generation.update_columns(started_at: 11.minutes.ago)
    asked = false
    work(generation) { asked = true }

    refute(asked)
    assert_equal(%w[timed_out total_timeout], [generation.status, generation.error])
  end

  def test_a_wait_that_would_end_behind_the_total_is_not_begun
    busy = Streamer::ResponseError.new(429, Streamer::Headers.new({ "retry-after" => "900" }), "")
    generation = block { raise busy }

    assert_equal(["failed", "http_429", "The service is busy at the moment. Please try again in a while."],
                 [generation.status, generation.error, generation.error_message])
  end

  def test_timeouts_that_are_none_are_refused
    error = assert_raises(ArgumentError) { Work.stream_timeouts(idle: 3) }
    assert_equal("unknown timeout :idle; known are first_event, event_idle, total", error.message)
    assert_raises(ArgumentError) { Work.stream_timeouts(total: "soon") }
  end

  private

  def drip(exchange)
    exchange.pause(0.05)
    exchange.chunk(Streamer::Testing::Upstream.token(1))
  end

  def asked(path, **timeouts)
    Asking.stream_timeouts(**timeouts)
    request = Streamer.request(:get, @silent.url("/#{path}"))
    Asking.upstream = block_given? ? yield(request) : request
    start.tap { |generation| Asking.new(generation).perform_now }.reload
  ensure
    Asking.stream_timeouts(**Streamer::Generation::Policy::TIMEOUTS)
  end

  def block(**timeouts, &source)
    Work.stream_timeouts(**timeouts)
    work(start, &source)
  ensure
    Work.stream_timeouts(**Streamer::Generation::Policy::TIMEOUTS)
  end
end
