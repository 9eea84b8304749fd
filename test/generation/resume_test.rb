# frozen_string_literal: true

require_relative "generation_case"
require "support/background_provider"
require "support/patience"

# What is cut off is read on at its provider, where that can be.
class ResumeTest < GenerationCase
  include Patience

  class Reader < ActiveJob::Base
    include Streamer::Job

    cattr_accessor :chat
    cattr_accessor :stopping, default: -> { false }

    def perform(generation) = stream_into(generation, chat)

    private

    def stopping? = stopping.call
  end

  class Restarter < Reader
    retry_partial :restart
  end

  DIALECTS = %i[openai_responses gemini_interactions].freeze

  def teardown
    @provider&.stop
    Reader.stopping = -> { false }
    super
  end

  DIALECTS.each do |dialect|
    define_method("test_#{dialect}_cut_at_every_event_index_is_read_on_in_the_same_attempt_and_billed_once") do
      (0..23).each do |index|
        provider(dialect, tokens: 20).cut_after = [index]
        generation = run_job

        # Cut before its name was said there is nothing to be read on: the model is asked again.
        ended = index.zero? ? ["processing", nil] : ["completed", @provider.text]
        assert_equal(ended, [generation.status, generation.content], "cut after #{index}")
        next if index.zero?

        assert_equal([1, 1], [@provider.asked, generation.log.head.epoch])
        assert_equal(@provider.requests, generation.upstream_requests.count)
        assert_equal([3, 20], generation.usage.values_at("input_tokens", "output_tokens"))
        @provider.stop
      end
    end
  end

  def test_one_that_is_cut_again_and_again_goes_on_as_long_as_each_connection_brings_something
    provider(:openai_responses, tokens: 40).cut_after = Array.new(10, 4)
    generation = run_job

    assert_equal(["completed", @provider.text, 1], [generation.status, generation.content, @provider.asked])
    assert_equal(11, generation.upstream_requests.count)
    assert_equal(["resp_1"], generation.upstream_requests.pluck(:response_id).uniq)
    assert_equal([false, *[true] * 10], generation.upstream_requests.pluck(:resumed))
  end

  def test_the_provider_s_name_of_the_response_is_in_the_ledger_before_any_text
    provider(:openai_responses).silent_after = 1
    Reader.stream_timeouts(first_event: 0.3)
    generation = start
    seen = nil
    reader = Thread.new { perform(generation) }
    wait { seen = generation.upstream_requests.reload.first&.response_id }

    assert_equal(["resp_1", ""], [seen, generation.log.text])
    generation.stop!
    reader.join(30)
  ensure
    Reader.stream_timeouts(first_event: 30)
  end

  def test_a_killed_worker_s_answer_is_continued_from_the_place_in_its_last_entry_by_another_without_a_reset
    DIALECTS.each do |dialect|
      Streamer::Log.store = store = Streamer::Stores::Memory.new(clock: -> { @now.to_f })
      @now = 0
      provider(dialect, tokens: 12)
      generation = killed_after(generation_text: 5)
      @now += 31
      perform(generation)

      assert_equal(["completed", @provider.text, 0], [generation.status, generation.content, @provider.asked])
      assert_equal([dialect == :openai_responses ? "6" : "e6"], @provider.read)
      assert_equal(%w[reset continue], attempts(generation))
      assert(store)
      @provider.stop
    end
  end

  def test_a_worker_that_is_told_to_end_leaves_the_rest_to_another_job_which_reads_on
    provider(:openai_responses, tokens: 12).every = 0.2
    generation = start
    @adapter.enqueued_jobs.clear
    Reader.stopping = -> { !generation.log.text.empty? }
    Reader.new(generation).perform_now

    assert_equal(%w[processing queued], [generation.reload.status, generation.phase])
    assert_equal(1, @adapter.enqueued_jobs.size)
    assert_operator(@provider.text, :start_with?, generation.log.text)
    @provider.every = 0
    Reader.stopping = -> { false }
    perform(generation)

    assert_equal(["completed", @provider.text, 1], [generation.status, generation.content, @provider.asked])
    assert_equal(%w[interrupted completed], generation.upstream_requests.pluck(:outcome))
  end

  def test_where_the_provider_keeps_it_no_more_the_text_is_kept_and_nothing_is_asked_again
    provider(:openai_responses, tokens: 9).cut_after = [5]
    @provider.refuses = true
    generation = run_job

    assert_equal(["failed", "w0é w1é w2é ", 1], [generation.status, generation.content, @provider.asked])
    assert_equal("closed", generation.error)
    assert_equal(%w[failed failed], generation.upstream_requests.pluck(:outcome))
  end

  def test_with_restart_it_is_asked_anew_then_and_what_was_given_up_is_counted
    provider(:openai_responses, tokens: 9).cut_after = [5]
    @provider.refuses = true
    generation = start
    Reader.chat = @provider.chat
    2.times { Restarter.new(generation).perform_now }

    assert_equal(["completed", @provider.text, 2], [generation.reload.status, generation.content, @provider.asked])
    assert_equal(%w[reset reset], attempts(generation))
    assert_equal([1, 2, 15], Answer.stats.values_at(:resets).push(*Answer.stats[:discarded].values_at(:requests, :bytes)))
  end

  def test_a_stop_is_told_to_the_provider_which_would_go_on_otherwise
    provider(:openai_responses, tokens: 9).silent_after = 6
    generation = start
    worker = Thread.new { perform(generation) }
    wait { generation.log.text.include?("w3") }

    assert(generation.stop!(attempt: 1))
    assert(worker.join(30))
    assert_equal(["cancelled", "w0é w1é w2é w3é ", ["resp_1"]], [generation.reload.status, generation.content, @provider.cancelled])
  end

  def test_a_response_that_stays_silent_is_given_up_there_too
    provider(:openai_responses, tokens: 9).silent_after = 6
    Reader.stream_timeouts(event_idle: 0.2, first_event: 0.2)
    generation = run_job

    assert_equal(["timed_out", ["resp_1"]], [generation.status, @provider.cancelled])
    assert_equal([1, 4], [@provider.asked, generation.upstream_requests.count]) # three in a row have brought nothing
  ensure
    Reader.stream_timeouts(event_idle: 30, first_event: 30)
  end

  def test_a_chat_says_where_it_is_read_on_and_cancelled_and_takes_no_name_that_is_none
    gemini = Streamer::Providers[:gemini_interactions].new(api_key: "key", base_url: "https://example.com/v1")
    chat = gemini.chat(model: "m", background: true, messages: [{ role: "system", content: "Be brief" }, { role: "assistant", content: "Hi" }])

    assert_equal("https://example.com/v1/interactions/v1_a?stream=true&last_event_id=e%2F1", chat.resume("v1_a", after: "e/1").request.url)
    assert_equal(["POST", "https://example.com/v1/interactions/v1_a/cancel", "key"],
                 [chat.cancellation("v1_a").method, chat.cancellation("v1_a").url, chat.cancellation("v1_a").headers["x-goog-api-key"]])
    assert_equal("https://example.com/v1/interactions/v1_a?stream=true", chat.resume("v1_a").request.url)
    assert_raises(ArgumentError) { chat.resume("../v1_a") }
    refute_predicate(gemini.chat(model: "m", messages: []), :resumable?)
    refute_predicate(Streamer::Providers[:openai].new.chat(model: "m", messages: [], background: true), :resumable?)
  end

  def test_without_the_background_nothing_is_read_on
    provider(:openai_responses).cut_after = [5]
    Reader.chat = @provider.chat(background: false)
    generation = start
    perform(generation)

    assert_equal(["failed", []], [generation.status, @provider.read])
  end

  private

  def provider(dialect, **options)
    @provider = BackgroundProvider.new(dialect, **options).tap { |provider| Reader.chat = provider.chat }
  end

  def run_job = start.tap { |generation| perform(generation) }

  def perform(generation)
    Reader.new(generation).perform_now
    generation.reload
  end

  def attempts(generation) = generation.log.entries.select { |entry| entry.kind == :attempt }.map { |entry| entry.json["mode"] }

  # As a worker leaves it that was killed behind so many words.
  def killed_after(generation_text:)
    generation = start
    store = Streamer::Log.store
    head = store.claim(generation.log_key, owner: "killed", lease: 30)
    generation.upstream_requests.create!(attempt: 1, started_at: Time.current, response_id: @provider.name)
    frames = (0...generation_text).map do |number|
      cursor = Reader.chat.request.url.include?("responses") ? number + 2 : "e#{number + 2}"
      Streamer::Log::Frames.entry(Streamer::Log::Position.new(1, number + 1), { content: "w#{number}é ", cursor: cursor }, event: "token")
    end
    store.append([Streamer::Log::Append.new(key: generation.log_key, epoch: head.epoch, after: 0, last: generation_text, frames: frames.join)])
    generation
  end
end
