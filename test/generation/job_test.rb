# frozen_string_literal: true

require_relative "generation_case"
require "support/upstream"
require "support/patience"

# What a job does when its process is told to end, and what it costs to notice.
class JobTest < GenerationCase
  include Patience

  # Reads an upstream in the way that the generation's prompt names.
  class Reader < ActiveJob::Base
    include Streamer::Job

    cattr_accessor :url, :stopping

    def perform(generation)
      case generation.prompt
      when "chat" then stream_into(generation, Streamer::Providers[:openai].new(api_key: "k", base_url: url).chat(model: "m", messages: []))
      when "request" then stream_into(generation, request, value: "choices.0.delta.content")
      when "block" then stream_into(generation) { |out| request.call.each_value("choices.0.delta.content") { |text| out << text } }
      end
    end

    private

    def request = Streamer::Client.new(url).request(:get)
    def stopping? = stopping
  end

  def setup
    super
    @upstream = Upstream.new { |exchange| exchange.stall }
    Reader.url = @upstream.url
    Reader.stopping = false
    @jobs = []
  end

  def teardown
    Reader.stopping = true
    @jobs.each(&:join)
    @upstream.stop
    super
  end

  %w[chat request block].each do |kind|
    define_method(:"test_a_silent_#{kind}_is_left_soon_after_the_process_was_told_to_end") do
      generation = begun(kind)
      @adapter.enqueued_jobs.clear
      seconds = tell_to_end

      assert_operator(seconds, :<, 5, "a quarter of a second, where the machine is not busy; its own timeouts come after 30 s")
      assert(@upstream.requests.last.wait_gone, "the upstream is left")
      assert_equal(["processing", "queued", %w[interrupted]],
                   [generation.reload.status, generation.phase, generation.upstream_requests.map(&:outcome)])
      assert_equal([Reader], @adapter.enqueued_jobs.map { |job| job[:job] })
      assert_nil(generation.log.head.owner)
    end
  end

  def test_what_was_delivered_is_kept_and_ended
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    generation = begun("request")
    wait { generation.log.text == "t0 " }
    @adapter.enqueued_jobs.clear
    tell_to_end

    assert_equal(["failed", "t0 ", "interrupted"], generation.reload.attributes.values_at("status", "content", "error"))
    assert_empty(@adapter.enqueued_jobs)
  end

  def test_one_thread_looks_for_all_of_them_and_is_gone_when_they_are
    20.times { begun("request") }

    assert_equal(1, watchers.size)
    tell_to_end
    wait { watchers.empty? }
  end

  if ActiveJob.gem_version >= Gem::Version.new("8.1")
    # Pays in its second step, and raises in it.
    class Continued < ActiveJob::Base
      include ActiveJob::Continuable
      include Streamer::Job

      cattr_accessor :requests, default: 0

      def perform(generation)
        step(:prepare) { |step| step.set!(1) }
        step(:stream) do |step|
          step.set!(1)
          stream_into(generation) { |out| self.class.requests += 1 and out << "paid for" }
          raise "behind it"
        end
      end
    end

    def test_84_a_continuation_does_not_resume_the_step_that_pays
      generation = start
      @adapter.enqueued_jobs.clear

      assert_raises(RuntimeError) { Continued.new(generation).perform_now }
      assert_empty(@adapter.enqueued_jobs)
      assert_equal([1, 1], [Continued.requests, generation.upstream_requests.count])
    end
  end

  private

  def begun(kind)
    count = @upstream.requests.size
    generation = start_for(Owner.create!, prompt: kind)
    @jobs << Thread.new { Reader.new(generation).perform_now }
    wait { @upstream.requests.size > count }
    generation
  end

  def start_for(owner, **attributes) = owner.generations.start!(**attributes)

  # Seconds until the jobs have returned.
  def tell_to_end
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    Reader.stopping = true
    @jobs.each(&:join)
    Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
  end

  def watchers = Thread.list.select { |thread| thread.name == "streamer-watch" }
end
