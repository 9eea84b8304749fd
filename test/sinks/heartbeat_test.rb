# frozen_string_literal: true

require "test_helper"
require "async"
require "streamer/sinks/heartbeat"
require "support/patience"

class HeartbeatTest < Minitest::Test
  include Patience

  # Beats every `pace` seconds, `limit` times at most.
  class Sink
    attr_reader :beats, :threads

    def initialize(pace = 0.02, limit: nil)
      @pace, @limit = pace, limit
      @beats = Thread::Queue.new
      @threads = []
    end

    def beat
      @threads |= [Thread.current]
      @beats << true
      @pace unless @limit && @beats.size >= @limit
    end
  end

  def setup
    wait { heartbeat_threads.empty? } # an earlier test's ends a moment after its last sink
  end

  def heartbeat_threads = Thread.list.select { |thread| thread.name == "streamer-heartbeat" }

  def test_it_beats_until_it_is_stopped
    sink = Sink.new
    handle = Streamer::Sinks::Heartbeat.start(sink, 0.01)
    wait { sink.beats.size >= 3 }
    handle.stop
    wait { heartbeat_threads.empty? }
    counted = sink.beats.size
    sleep 0.1

    assert_equal counted, sink.beats.size
  end

  def test_all_sinks_share_a_thread_that_ends_with_the_last
    sinks = Array.new(5) { Sink.new }
    handles = sinks.map { |sink| Streamer::Sinks::Heartbeat.start(sink, 0.01) }
    wait { sinks.all? { |sink| sink.beats.size.positive? } }

    assert_equal 1, sinks.flat_map(&:threads).uniq.size
    handles.each(&:stop)
    wait { heartbeat_threads.empty? }
  end

  def test_a_sink_that_wants_no_more_gets_no_more
    sink = Sink.new(limit: 2)
    Streamer::Sinks::Heartbeat.start(sink, 0.01)
    wait { heartbeat_threads.empty? }

    assert_equal 2, sink.beats.size
  end

  def test_a_sink_that_is_watched_twice_is_watched_until_both_have_stopped
    sink = Sink.new
    first, second = Array.new(2) { Streamer::Sinks::Heartbeat.start(sink, 0.01) }
    first.stop
    counted = sink.beats.size
    wait { sink.beats.size >= counted + 3 }
    second.stop
    wait { heartbeat_threads.empty? }
  end

  def test_without_an_interval_there_is_no_thread
    assert_nil Streamer::Sinks::Heartbeat.start(Sink.new, nil).stop
    assert_empty heartbeat_threads
  end

  def test_in_an_event_loop_it_is_a_task_of_that_loop
    sink = Sink.new
    Async do |task|
      handle = Streamer::Sinks::Heartbeat.start(sink, 0.01)
      task.with_timeout(20) { sleep 0.01 until sink.beats.size >= 3 }
      handle.stop
    end

    assert_equal [Thread.current], sink.threads
    assert_empty heartbeat_threads
  end

  def test_a_forked_child_has_a_thread_of_its_own_and_not_the_parents_sinks
    parents = Sink.new
    handle = Streamer::Sinks::Heartbeat.start(parents, 0.01)
    wait { parents.beats.size.positive? }
    reader, writer = IO.pipe
    child = fork do
      inherited = parents.beats.size
      sink = Sink.new
      Streamer::Sinks::Heartbeat.start(sink, 0.01)
      wait { sink.beats.size >= 2 }
      writer.write(parents.beats.size == inherited ? "own" : "parent's")
      exit!(0)
    end
    writer.close

    assert reader.wait_readable(60), "the child said nothing"
    assert_equal "own", reader.read
  ensure
    Process.kill(:KILL, child) if child && Process.wait(child, Process::WNOHANG).nil?
    handle&.stop
    reader&.close
  end
end
