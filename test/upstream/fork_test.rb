# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# A process that forks while streams are open, as `preload_app!` and job runners do: the child leaves the parent's connections alone
# and makes its own.
module ForkTests
  def setup
    @upstream = upstream { |exchange| exchange.openai(tokens: 1) }
    @upstream.on("/slow") { |exchange| exchange.openai(tokens: 10, every: 0.03) }
    @client = Streamer::Client.new(@upstream.url)
  end

  def test_the_child_cannot_read_the_parents_response
    response = @client.get("/slow")
    assert_equal "Streamer::ForkError", in_child { response.each_event { |event| event } }
    response.cancel
  end

  def test_the_parents_stream_goes_on
    events = 0
    children = 0
    @client.get("/slow").each_event do
      events += 1
      children += 1 if events == 3 && in_child { @client.get("/").each_event.count } == "2"
    end
    assert_equal [11, 1], [events, children]
  end

  def test_the_child_opens_connections_of_its_own
    @client.get("/").read
    assert_equal "2", in_child { @client.get("/").each_event.count }
    @client.get("/").read
    assert_equal [1, 2, 1], @upstream.requests.map(&:connection)
  end

  def test_the_childs_end_does_not_close_the_parents_stream
    response = @client.get("/slow")
    in_child { GC.start }
    assert_equal 11, response.each_event.count
    refute_predicate @upstream.requests.first, :gone?
  end

  # libcurl closes the socket of a connect that is given up without telling: its number is then anybody's.
  def test_the_child_keeps_descriptors_that_took_the_number_of_a_connect_given_up
    Upstream.blackhole do |url|
      3.times { assert_raises(Streamer::ConnectTimeoutError) { Streamer.get(url, timeouts: { connect: 0.05 }) } }
    end
    pipes = Array.new(20) { IO.pipe }
    assert_equal "20", in_child { pipes.sum { |_, writer| writer.write_nonblock("x") } }
  ensure
    pipes&.flatten&.each(&:close)
  end

  def test_a_grandchild
    response = @client.get("/slow")
    assert_equal "2", in_child { in_child { @client.get("/").each_event.count } }
    assert_equal 11, response.each_event.count
  end

  def test_a_child_that_cancels_and_collects_the_parents_responses_harms_nobody
    responses = Array.new(3) { @client.get("/slow") }
    in_child do
      responses.each do |response|
        response.cancel
      rescue StandardError
        nil
      end
      responses.clear
      3.times { GC.start }
    end
    assert_equal [11, 11, 11], responses.map { |each| beside { each.each_event.count } }.map(&:value)
  end

  private

  # The block's value as text, or the name of the error that it raised.
  def in_child(&block)
    reader, writer = IO.pipe
    pid = fork do
      reader.close
      writer.write(outcome_of(&block))
    ensure
      exit!(0)
    end
    writer.close
    result = in_thread { reader.read }.value
    Process.wait(pid)
    result
  ensure
    reader&.close
  end

  # In a thread without a scheduler, waited for by a blocking fiber: a scheduler's own descriptors are shared with the parent.
  def outcome_of(&block)
    thread = Thread.new(&block)
    thread.report_on_exception = false
    Fiber.new(blocking: true) { thread.join }.resume
    thread.value
  rescue Exception => error # its name is the result
    error.class.name
  end
end

class ForkOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include ForkTests
end

class ForkInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include ForkTests
end

class ForkInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include ForkTests
end
