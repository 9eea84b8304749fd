# frozen_string_literal: true

# A Fiber::Scheduler with the mandatory hooks and no others: block, unblock, kernel_sleep and io_wait, plus the `fiber`
# that Fiber.schedule needs and the `close` that runs the loop. What works here works under every scheduler.
#
#   MinimalScheduler.run { Fiber.schedule { ... }; client.get("/") }   # the block's value, or its exception
#
# It is strict: a fiber is woken from the wait it is in and from no other, so a wake-up that comes too early is lost and
# one that comes too late is ignored.
class MinimalScheduler
  # Runs the block in a fiber of a new thread's scheduler, waits for every fiber that it scheduled, and returns its value.
  def self.run(&block)
    value = error = nil
    thread = Thread.new do
      Fiber.set_scheduler(new)
      Fiber.schedule do
        value = block.call
      rescue Exception => error # raised again in the caller's thread
      end
    end
    thread.report_on_exception = false
    thread.join
    raise error if error

    value
  end

  def initialize
    @root = Fiber.current
    @ready = []
    @unblocked = Thread::Queue.new
    @blocked = {}   # fiber => true
    @deadlines = {} # fiber => monotonic seconds
    @waiting = {}   # fiber => [io, events]
    @wake_reader, @wake_writer = IO.pipe
  end

  def fiber(&block)
    fiber = Fiber.new(blocking: false, &block)
    @ready << Fiber.current unless Fiber.current.equal?(@root)
    fiber.transfer
    fiber
  end

  # True when unblocked, false when the time ran out.
  def block(_blocker, timeout = nil)
    fiber = Fiber.current
    @blocked[fiber] = true
    wait_until(timeout)
    @blocked[fiber].nil?
  ensure
    @blocked.delete(fiber)
  end

  # From any thread.
  def unblock(_blocker, fiber)
    @unblocked << fiber
    @wake_writer.write_nonblock(".", exception: false)
  end

  def kernel_sleep(duration = nil)
    wait_until(duration)
  end

  # The ready events, or false when the time ran out.
  def io_wait(io, events, timeout)
    @waiting[Fiber.current] = [io, events]
    wait_until(timeout) || false
  ensure
    @waiting.delete(Fiber.current)
  end

  def close
    turn until @ready.empty? && @blocked.empty? && @deadlines.empty? && @waiting.empty? && @unblocked.empty?
  ensure
    [@wake_reader, @wake_writer].each(&:close)
  end

  private

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  # Leaves for the loop; what the loop resumes the fiber with is returned.
  def wait_until(timeout)
    fiber = Fiber.current
    @deadlines[fiber] = now + timeout if timeout
    @root.transfer
  ensure
    @deadlines.delete(fiber)
  end

  def turn
    readable, writable = select
    @ready.slice!(0..).each { |fiber| resume(fiber) }
    resume_unblocked
    resume_expired
    @waiting.to_a.each do |fiber, (io, events)|
      seen = 0
      seen |= IO::READABLE if readable.include?(io)
      seen |= IO::WRITABLE if writable.include?(io)
      resume(fiber, seen & events) if (seen & events).positive? && @waiting.key?(fiber)
    end
  end

  def select
    readers = @waiting.values.filter_map { |io, events| io if events.anybits?(IO::READABLE) }
    writers = @waiting.values.filter_map { |io, events| io if events.anybits?(IO::WRITABLE) }
    readable, writable = IO.select([@wake_reader, *readers], writers, nil, patience) || [[], []]
    @wake_reader.read_nonblock(4096, exception: false) if readable.include?(@wake_reader)
    [readable, writable]
  end

  def patience
    return 0 unless @ready.empty? && @unblocked.empty?

    first = @deadlines.values.min
    first && (first - now).clamp(0, nil)
  end

  def resume_unblocked
    until @unblocked.empty?
      fiber = @unblocked.pop
      resume(fiber) if @blocked.delete(fiber)
    end
  end

  def resume_expired
    moment = now
    @deadlines.select { |_, deadline| deadline <= moment }.each_key { |fiber| resume(fiber) }
  end

  def resume(fiber, value = nil)
    fiber.transfer(value) if fiber.alive?
  end
end
