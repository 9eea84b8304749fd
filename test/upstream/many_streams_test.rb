# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require_relative "../../benchmark/support/tools"

# Very many streams at once, in one thread: one scheduler wait at a time for all of them, work that grows with the tokens and not with
# the streams, and no thread. `bin/bench upstreams` has 5,000 of them.
module ManyStreamsTests
  VALUE = "choices.0.delta.content"
  TOKENS = 4
  EVERY = 100_000 # microseconds

  FEW = 200
  MANY = 800

  # Twice would be far from linear already, if the machine did nothing else: ten streams more would cost each stream more.
  LINEAR = 2.5

  def patience = 300

  def setup
    program = Upstream.without_scheduler { Bench::Tools.c("upstream") }
    @server = Upstream.without_scheduler { IO.popen([program], err: File::NULL) }
    port = Upstream.without_scheduler { Integer(@server.gets) }
    @client = Streamer::Client.new("http://127.0.0.1:#{port}", timeouts: { connect: 30 })
    @threads = Thread.list.size
  end

  def teardown
    super
    Upstream.without_scheduler do
      Process.kill(:TERM, @server.pid)
      @server.close
    end
  end

  def test_the_cost_of_a_token_does_not_grow_with_the_number_of_streams
    read(MANY) # connections are made, and what else is made once
    few, many = [FEW, MANY].map { |count| Array.new(3) { cpu_per_token(count) }.min }

    assert_operator many, :<, few * LINEAR, format("%.1f us a token with %d streams, %.1f us with %d", few, FEW, many, MANY)
  end

  def test_no_thread_is_started_for_them
    most = 0
    read(FEW) { most = [most, Thread.list.size].max }

    assert_operator most, :<=, @threads
  end

  private

  def read(count, &meanwhile)
    streams = read_all(count, "/chat?n=#{TOKENS}&us=#{EVERY}", &meanwhile)
    wrong = streams.reject { |texts| texts.map { |text| text[/\A@(\d+):/, 1].to_i } == [*0...TOKENS] }
    assert_equal [count, []], [streams.size, wrong.first(1)]
  end

  # Microseconds.
  def cpu_per_token(count)
    GC.start
    before = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
    read(count)
    (Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - before) * 1e6 / (count * TOKENS)
  end
end

# What is true of fibers under any scheduler.
module ManyFibersTests
  include ManyStreamsTests

  # How a scheduler is asked to wait for descriptors: which, and how many at once at most.
  module Counting
    attr_reader :descriptors, :most

    def io_wait(io, ...)
      (@descriptors ||= []) << io.fileno
      @at_once = @at_once.to_i + 1
      @most = [@most.to_i, @at_once].max
      super
    ensure
      @at_once -= 1
    end
  end

  def test_one_wait_for_all_of_them_and_one_for_each_wake
    read(FEW) # without the waits for connections
    scheduler = Fiber.scheduler
    scheduler.singleton_class.prepend(Counting)
    read(FEW)

    assert_equal [1, 1], [scheduler.most, scheduler.descriptors.uniq.size], "waits at once, and descriptors"
    assert_operator scheduler.descriptors.size, :<=, FEW * (TOKENS + 3), "waits for #{FEW * TOKENS} tokens, and as many heads and ends"
  end

  private

  def read_all(count, path)
    Array.new(count) do
      beside do
        @client.get(path).each_value(VALUE).map do |text|
          yield if block_given?
          text
        end
      end
    end.map(&:value)
  end
end

class ManyStreamsOnAThreadTest < Minitest::Test
  include Contexts::Threads
  include ManyStreamsTests

  private

  def read_all(count, path)
    texts = Array.new(count) { [] }
    Streamer.merge(Array.new(count) { |number| [number, @client.request(:get, path)] }.to_h) do |number, event|
      yield if block_given?
      texts[number] << event.json.dig("choices", 0, "delta", "content") unless event.data == "[DONE]"
    end
    texts
  end
end

class ManyStreamsInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include ManyFibersTests
end

class ManyStreamsInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include ManyFibersTests
end
