# frozen_string_literal: true

require "async"
require_relative "scheduler"
require_relative "upstream"

# The same tests in the three worlds that a caller can live in: include one of Threads, Scheduled and InAsync into a test class, and then
# the module of tests.
module Contexts
  # What all worlds offer to a test: an upstream that ends with it, something that runs beside it, and a limit to its patience.
  module Common
    # Seconds for one test.
    def patience = 120

    # A test that hangs would hang the whole run and say nothing; this says where.
    def run(...)
      watch = Thread.new do
        sleep patience
        warn "#{self.class}##{name} still runs after #{patience} s"
        Thread.list.each { |thread| warn thread.inspect, *thread.backtrace&.first(12), "" }
        warn "#{self.class}##{name} still runs after #{patience} s"
        exit!(1)
      end
      super
    ensure
      watch.kill
    end

    def teardown
      @stopped_at_the_end&.each(&:stop)
      super
    end

    private

    def upstream(**options, &script)
      Upstream.new(**options, &script).tap { |server| (@stopped_at_the_end ||= []) << server }
    end

    # Runs the block in a thread, or in a fiber where there is a scheduler. #value waits for its value or its exception.
    def beside(&block) = Beside.new(Fiber.current_scheduler ? Fiber.method(:schedule) : Thread.method(:new), &block)

    # Runs the block in a thread without a scheduler. (Ruby 3.1's Thread#join may sleep for ever in a fiber; #value does not.)
    def in_thread(&block) = Beside.new(Thread.method(:new), &block)

    # Waits, as long as a test may, until the block is true. Then true itself.
    def wait_until
      sleep 0.005 until yield
      true
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    def seconds
      start = now
      yield
      now - start
    end

    def fibers? = !Fiber.current_scheduler.nil?
  end

  class Beside
    def initialize(start, &block)
      @outcome = Thread::Queue.new
      start.call { run(block) }
    end

    def value
      value, error = @outcome.pop
      raise error if error

      value
    end

    private

    def run(block)
      @outcome << [block.call, nil]
    rescue Exception => error # raised again by #value
      @outcome << [nil, error]
    end
  end

  # No scheduler: the native thread drives.
  module Threads
    include Common
  end

  # A scheduler with the mandatory hooks only.
  module Scheduled
    include Common

    def run(...) = MinimalScheduler.run { super }
  end

  # socketry's async.
  module InAsync
    include Common

    def run(...) = Sync { super }
  end
end
