# frozen_string_literal: true

module Simulation
  # Runs fibers in an order that a seed decides, on a clock that nobody waits for. A fiber gives way where it calls the store and where it
  # sleeps; what it does in between is one step, as under a lock.
  class Scheduler
    # worker: whose fiber it is, which may be paused or killed; nil for nobody's.
    Task = Struct.new(:name, :worker, :fiber, :due)
    private_constant :Task

    # Seconds after which a run counts as one that does not end.
    LIMIT = 300

    # Seconds: those who wake within them of each other come in any order.
    BLUR = 0.02

    START = 1000.0

    attr_reader :now, :random, :steps

    def initialize(random)
      @random = random
      @now = START
      @steps = 0
      @ready = []
      @asleep = [] # a heap by due
    end

    def spawn(name, worker = nil, &block)
      @ready << Task.new(name, worker, Fiber.new(&block), @now)
    end

    # For fibers.

    def pass = Fiber.yield(0)

    def sleep(seconds) = Fiber.yield(seconds)

    # Until nobody has anything left to do.
    def run
      until (@ready.empty? && !wake) || @ready.empty?
        raise Violation, "the run does not end: #{@ready.map(&:name).tally}" if @now > START + LIMIT

        @steps += 1
        step(take)
      end
    end

    private

    def take
      index = @random.rand(@ready.size)
      @ready[index], @ready[-1] = @ready[-1], @ready[index]
      @ready.pop
    end

    def step(task)
      return if task.worker&.dead?

      if task.worker && task.worker.paused_until > @now
        task.due = task.worker.paused_until
        return push(task)
      end
      wait = task.fiber.resume
      return unless task.fiber.alive?

      task.due = @now + wait
      wait.zero? ? @ready << task : push(task)
    end

    # Time passes until somebody can go on.
    def wake
      return false if @asleep.empty?

      @now = [@now, @asleep.first.due].max + @random.rand(BLUR)
      @ready << pop while !@asleep.empty? && @asleep.first.due <= @now
      true
    end

    def push(task)
      index = @asleep.size
      @asleep << task
      while index.positive? && @asleep[parent = (index - 1) / 2].due > task.due
        @asleep[index] = @asleep[parent]
        index = parent
      end
      @asleep[index] = task
    end

    def pop
      top = @asleep.first
      last = @asleep.pop
      sink(last) unless @asleep.empty?
      top
    end

    def sink(task)
      index = 0
      size = @asleep.size
      while (child = (index * 2) + 1) < size
        child += 1 if child + 1 < size && @asleep[child + 1].due < @asleep[child].due
        break if @asleep[child].due >= task.due

        @asleep[index] = @asleep[child]
        index = child
      end
      @asleep[index] = task
    end
  end
end
