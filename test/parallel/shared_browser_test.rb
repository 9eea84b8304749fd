# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "socket"

# One browser's socket that fibers of several threads' schedulers write to.
class SharedBrowserTest < Minitest::Test
  include Contexts::Common

  THREADS = 4
  WRITES = 400
  FRAME = ("x" * 60_000).freeze

  def test_every_writer_that_waits_for_a_slow_browser_goes_on
    server, browser = UNIXSocket.pair
    socket = Streamer::BrowserSocket.new(server, chunked: false, heartbeat: 0)
    received = Thread.new { read_all(browser) }
    writers = Array.new(THREADS) do
      Thread.new { MinimalScheduler.run { WRITES.times { socket.write(FRAME) } } }
    end
    assert(writers.all? { |thread| thread.join(20) }, "a writer still waits")
    socket.close
    server.close
    assert_equal THREADS * WRITES * FRAME.size, received.value
  ensure
    writers&.each(&:kill)
    browser&.close
  end

  private

  def read_all(browser)
    count = 0
    loop { count += browser.readpartial(65_536).size }
  rescue EOFError
    count
  end

  def patience = 60
end
