# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# A scheduler that is left before its fibers have ended, as one is whose close an exception interrupts.
class AbandonedFibersTest < Minitest::Test
  include Contexts::Common

  class Leaving < MinimalScheduler
    def close = nil
  end

  def setup
    @server = upstream { |exchange| exchange.head.chunk("data: first\n\n").stall }
    @server.on("/short") { |exchange| exchange.json({ short: true }) }
    @client = Streamer::Client.new(@server.url)
    super
  end

  def test_their_memory_is_not_touched_once_it_is_collected
    5.times do
      Thread.new { abandon_two }.join
      3.times { GC.start }
    end
    assert_equal true, @client.get("/short").json["short"]
  end

  def test_the_thread_s_next_scheduler_is_not_led_by_them
    value = Thread.new do
      abandon_two
      within_scheduler { @client.get("/short").json["short"] }
    end.value
    assert_equal true, value
  end

  private

  def abandon_two
    Fiber.set_scheduler(Leaving.new)
    2.times { Fiber.schedule { @client.get("/").each_event { nil } } }
    Fiber.set_scheduler(nil)
  end

  def within_scheduler
    value = nil
    Fiber.set_scheduler(MinimalScheduler.new)
    Fiber.schedule { value = yield }
    Fiber.set_scheduler(nil) # which runs it to its end
    value
  end

  def patience = 20
end
