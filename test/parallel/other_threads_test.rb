# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# Responses of a fiber scheduler that a thread without one waits for, while the scheduler's own fibers do.
class OtherThreadsTest < Minitest::Test
  include Contexts::Common

  def setup
    @server = upstream { |exchange| exchange.head.chunk("data: first\n\n").stall }
    @client = Streamer::Client.new(@server.url)
    super
  end

  def test_a_thread_s_wait_ends_in_time_while_a_fiber_reads
    responses = Queue.new
    scheduled = Thread.new do
      MinimalScheduler.run do
        read = @client.get("/")
        responses << [@client.get("/"), read]
        assert_raises(Streamer::CancelledError) { read.each_event { nil } }
      end
    end
    response, read = responses.pop
    group = Streamer::Group.new
    group.join(response.instance_variable_get(:@transfer), 0)
    nil while group.wait(0.05) # the first event may come only now
    5.times { assert_in_delta 0.1, seconds { group.wait(0.1) }, 0.09 }
  ensure
    read&.cancel
    scheduled&.join
    response&.cancel
  end
end
