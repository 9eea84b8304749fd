# frozen_string_literal: true

require "objspace"
require_relative "broadcast_case"

# How often a generation is broadcast, and when. Row 51: constant writes, the last of them, and the end of the process's work.
class ThrottleTest < BroadcastCase
  EVERY = 0.1

  def test_a_thousand_chunks_a_second_are_at_most_ten_broadcasts_a_second_and_the_text_is_exact # row 51
    generation = start
    listener = listen(generation)
    text = +""
    moments = broadcasts_of(generation) do
      work(generation) { |out| write_constantly(out, text) }
    end
    wait("the close") { closed?(listener) }

    assert_equal [text, text], [listener.text, generation.content]
    assert_operator most_in_a_second(moments), :<=, 10
    assert_operator moments.size, :>=, 8, "constant writes put no broadcast off"
  end

  def test_the_first_is_broadcast_as_soon_as_it_is_written
    delays = Array.new(15) do
      generation = start
      listener = listen(generation)
      written = nil
      work(generation) do |out|
        out << "first"
        written = now
        wait("the first broadcast") { listener.heard.any? }
      end
      listener.heard.first.at - written
    end

    assert_operator delays.sort[delays.size / 2], :<, EVERY / 2, "p50 of #{delays.sort.map { |delay| (delay * 1000).round(2) }} ms"
  end

  def test_a_lone_word_after_a_pause_is_not_held_back_and_one_right_behind_another_comes_by_itself
    generation = start
    listener = listen(generation)
    work(generation) do |out|
      out << "one "
      out << "two "
      wait("both") { listener.text == "one two " } # with nothing written meanwhile
      delays = Array.new(5) do |number|
        sleep 2 * EVERY
        written = now
        out << "#{number} "
        wait("the next") { listener.text.end_with?("#{number} ") }
        listener.heard.last.at - written
      end

      assert_operator delays.min, :<, EVERY / 2
    end
  end

  def test_what_is_left_is_broadcast_before_the_work_is_over_so_that_the_process_may_end # row 51
    generation = start
    listener = listen(generation)
    broadcasts = nil
    work(generation) { |out| 50.times { |number| out << "#{number} " } }
    ActiveSupport::Notifications.subscribed(->(*) { broadcasts = true }, "broadcast.streamer") { sleep 2 * EVERY }

    assert_nil broadcasts, "there was something left"
    wait("the last") { closed?(listener) }
    assert_equal generation.content, listener.text
  end

  def test_what_waits_is_a_range_of_the_log_and_not_its_text
    generation = start
    work(generation) do |out|
      out << "x"
      wait("the first") { feed_of(generation) }
      20.times { out << ("y" * 50_000) }

      assert_operator ObjectSpace.memsize_of(feed_of(generation)), :<, 1000
      assert_empty(feed_of(generation).instance_variables.map { |name| feed_of(generation).instance_variable_get(name) }.grep(String))
    end
  end

  def test_the_thread_of_broadcasts_holds_no_database_connection_while_it_waits
    generation = start
    listener = listen(generation)
    work(generation) do |out|
      out << "x"
      wait("the first") { listener.heard.any? }
      thread = Thread.list.find { |candidate| candidate.name == "streamer-broadcasts" }

      assert thread
      wait("no connection of its own") { ActiveRecord::Base.connection_pool.connections.none? { |connection| connection.owner == thread } }
    end
  end

  private

  def feed_of(generation) = generation.instance_variable_get(:@text_feed)

  def closed?(listener) = listener.messages.last&.fetch("events")&.any? { |event| event["event"] == "done" }

  # 2,000 words in two seconds.
  def write_constantly(out, text)
    began = now
    2000.times do |number|
      out << (word = "word#{number} ")
      text << word
      rest = began + (number / 1000.0) - now
      sleep(rest) if rest > 0.001
    end
  end

  # When the text was given to Action Cable.
  def broadcasts_of(generation)
    moments = []
    note = lambda do |_, at, _, _, details|
      moments << at if details[:broadcasting].end_with?(generation.log_key) && details[:message].key?(:through)
    end
    ActiveSupport::Notifications.subscribed(note, "broadcast.action_cable", monotonic: true) { yield }
    moments
  end

  def most_in_a_second(moments) = moments.map { |from| moments.count { |at| at >= from && at < from + 1 } }.max
end
