# frozen_string_literal: true

require_relative "broadcast_case"
require "support/error_reports"
require "support/ports"
require "support/scheduler"

# What is broadcast of a generation over Action Cable: ranges of its log, each with what it follows on.
class BroadcastsTest < BroadcastCase
  include ErrorReports

  def test_each_broadcast_is_a_range_of_the_log_that_follows_on_the_one_before
    generation = start
    listener = listen(generation)
    work(generation) do |out|
      out << "Be"
      wait("the first") { listener.heard.any? }
      out << "cause" << "."
    end
    wait("the close") { listener.messages.last&.fetch("through") == "1-4" }

    first, *others, last = listener.messages
    assert_equal({ "after" => "0-0", "through" => "1-1", "mode" => "reset", "content" => "Be" }, first.except("events"))
    assert_equal ["continue"], [*others, last].map { |message| message["mode"] }.uniq
    assert_equal "Because.", listener.text
    assert_equal ["done"], last["events"].map { |event| event["event"] }
    assert_equal generation.log.head.position.to_s, last["through"]
  end

  def test_entries_that_are_no_text_are_in_it_as_they_are
    generation = start
    listener = listen(generation)
    work(generation) do |out|
      out.append({ url: "/weather" }, event: "source")
      out.state("thinking")
      out << "Sun\n<b>"
    end
    wait("the close") { listener.messages.last&.fetch("through") == "1-4" }
    events = listener.messages.flat_map { |message| message["events"] }

    assert_equal [["1-0", "attempt"], ["1-1", "source"], ["1-2", "state"], ["1-4", "done"]], events.map { |event| event.values_at("id", "event") }
    assert_equal "{\"url\":\"/weather\"}", events[1]["data"]
    assert_equal "Sun\n<b>", listener.text
  end

  def test_an_attempt_that_begins_anew_is_told_at_once
    generation = start
    listener = heard(generation, "void")
    write(generation) do |out|
      wait("the word of it") { listener.heard.any? }
      out << "new"
    end

    assert_equal ["1-1", "2-0", "reset", ""], listener.messages.first.values_at("after", "through", "mode", "content")
    wait("the text") { listener.text == "new" }
  end

  def test_one_that_goes_on_behind_what_there_is_says_behind_what
    generation = start
    listener = heard(generation, "kept ")
    write(generation, mode: "continue") { |out| out << "and more" }
    wait("the text") { listener.text == "and more" }

    assert_equal %w[1-1 continue], listener.messages.first.values_at("after", "mode")
  end

  def test_a_final_state_that_another_process_has_found_is_broadcast_by_that
    generation = start
    listener = listen(generation)
    Told.find(generation.id).stop!
    wait("the close") { listener.heard.any? }

    assert_equal [["1-0", "1-1", ["cancelled"]]],
                 listener.messages.map { |message| [*message.values_at("after", "through"), message["events"].map { |event| event["event"] }] }
  end

  def test_a_cable_that_is_away_is_reported_once_and_ends_no_generation
    ActionCable.server.config.cable = { "adapter" => "redis", "url" => "redis://127.0.0.1:#{Ports.free}", "reconnect_attempts" => 0 }
    ActionCable.server.restart
    generation = start
    reports = reported do
      work(generation) { |out| 3.times { |number| (out << "#{number} ") && sleep(0.12) } }
    end

    assert_equal ["completed", "0 1 2 "], [generation.status, generation.content]
    assert_equal 1, reports.size
    assert_match(/Connect/, reports.first.class.name)
  end

  def test_eight_workers_at_once_broadcast_each_generation_in_order # row 50
    generations = Array.new(8) { Told.start!(prompt: "Why?", owner: Owner.create!) }
    listeners = generations.map { |generation| listen(generation) }
    Work.source = lambda do |out|
      60.times { |number| (out << "#{number} ") && sleep(rand * 0.01) }
    end
    generations.map { |generation| Thread.new { Work.new(generation).perform_now } }.each(&:join)
    wait("all closes") { listeners.all? { |listener| listener.messages.last&.fetch("through") == "1-61" } }

    assert_equal [Array.new(60) { |number| "#{number} " }.join] * 8, listeners.map(&:text)
  end

  def test_a_worker_that_is_a_fiber_lets_others_run_while_the_last_is_broadcast
    generation = start
    listener = listen(generation)
    turns = 0
    MinimalScheduler.run do
      over = false
      Fiber.schedule { (turns += 1) && sleep(0.005) until over }
      work(generation) { |out| 30.times { |number| (out << "#{number} ") && sleep(0.005) } }
      over = true
    end

    wait("the text") { listener.text == Array.new(30) { |number| "#{number} " }.join }
    assert_operator turns, :>, 10
  end

  def test_what_makes_no_sense_is_refused_with_what_would
    error = assert_raises(ArgumentError) { Class.new(Told) { broadcasts_text over: :pigeon } }

    assert_equal "broadcasts_text is over: :turbo, :cable or both; got :pigeon", error.message
    assert_raises(ArgumentError) { Class.new(Told) { broadcasts_text over: :cable, every: 0 } }
  end

  def test_a_model_that_does_not_say_so_broadcasts_nothing
    generation = Answer.start!(prompt: "Why?")
    listener = listen(generation)
    work(generation) { |out| out << "quiet" }

    assert_equal "completed", generation.status
    assert_empty listener.heard
  end

  private

  # Who has heard an attempt that was left unfinished, and listens on.
  def heard(generation, text)
    listener = listen(generation)
    write(generation) { |out| out << text }
    wait("the first attempt") { listener.text == text }
    listener.tap(&:forget)
  end

  # An attempt that is left unfinished.
  def write(generation, mode: "reset")
    writer = generation.log.claim(mode: mode)
    yield Streamer::Generation::Output.new(writer, generation, -> { false })
    writer.release
  end
end
