# frozen_string_literal: true

# Hands a message to each of so many answers so often, evenly spread. One thread does it: on Rails 7.2 the second one that writes to SQLite
# waits for its lock without letting the first go on. When it is late it goes on without a pause until it is not.
class Schedule
  # Seconds: nearer ones are due at once.
  GRAIN = 0.001

  # Times what it should take, after which the rest is not handed over.
  PATIENCE = 2

  attr_reader :sent, :seconds

  def initialize(answers, count, per_second:, messages:)
    @answers = answers
    @count = count
    @period = 1.0 / per_second
    @messages = messages
  end

  def run
    @sent = 0
    start = now
    limit = start + (PATIENCE * @period * @messages)
    @messages.times do |sequence|
      break if now > limit

      @count.times { |index| hand_over(start, sequence, index) }
    end
    @seconds = now - start
    self
  end

  private

  def hand_over(start, sequence, index)
    wait_until(start + ((sequence + index.fdiv(@count)) * @period))
    @answers.hand_over(index, "@#{sequence}:#{Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)} ")
    @sent += 1
  end

  def wait_until(due)
    early = due - now
    sleep(early) if early > GRAIN
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
