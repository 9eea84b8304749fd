# frozen_string_literal: true

require "test_helper"
require "support/browser"
require "support/follow_case"

# Pages in Chromium that follow a log, by the browser's own EventSource and by the JavaScript module.
module FollowingPages
  include FollowCase

  KIND = :puma

  def teardown
    @page&.close
    super
  end

  [0, 1, 50].each do |count|
    define_method(:"test_row_49_#{count}_entries_between_the_page_and_its_stream_are_neither_missing_nor_doubled") do
      key = written(tokens: 3)
      visit(key)
      count.times { |index| ask("append", key: key, text: "#{index} ") }
      start
      ask("append", key: key, text: "end", close: "completed")

      assert_text "#{tokens(3)}#{Array.new(count) { |index| "#{index} " }.join}end", state: "done"
      assert_equal (4..(4 + count)).map { |sequence| "1-#{sequence}" }, ids
    end
  end

  def test_a_connection_that_ends_is_resumed_with_the_prime_where_nothing_has_come_and_with_the_last_entry_afterwards
    key = written(tokens: 2)
    visit(key, rotate: 0.4, retry: 10)
    start
    wait { positions.include?("1-2") || positions.size > 1 }
    ask("append", key: key, text: "a ")
    wait { positions.include?("1-3") }
    ask("append", key: key, text: "b", close: "completed")

    assert_text "#{tokens(2)}a b", state: "done"
    assert_equal %w[1-3 1-4], ids
  end

  def test_a_tab_that_is_closed_and_opened_again_has_everything
    key = written(tokens: 2)
    visit(key)
    start
    ask("append", key: key, text: "seen ")
    wait { text.end_with?("seen ") }
    @page.close
    ask("append", key: key, text: "missed ")
    visit(key)
    start
    ask("append", key: key, text: "end", close: "completed")

    assert_text "#{tokens(2)}seen missed end", state: "done"
  end

  def test_entries_that_are_gone_are_healed_in_the_page
    key = written(tokens: 2)
    visit(key)
    ask("append", key: key, text: "pruned ")
    ask("append", key: key, text: "end", close: "completed")
    ask("prune", key: key)
    start

    assert_text "#{tokens(2)}pruned end", state: "done"
    assert_equal %w[gap], ids
  end

  def test_an_attempt_that_begins_anew_takes_the_place_of_what_the_page_has
    key = written(tokens: 4)
    visit(key)
    start
    ask("append", key: key, text: "void ")
    wait { text.end_with?("void ") }
    ask("write", key: key, word: "new", tokens: 2, close: "failed")

    assert_text tokens(2, "new"), state: "failed"
  end

  def test_row_43_a_page_with_all_of_it_does_not_come_back
    key = written(tokens: 1, close: "completed")
    visit(key)
    start
    wait { @page.text("#state") == "204" }

    assert_equal 1, positions.size
    assert_equal tokens(1), text
  end

  private

  def visit(key, **parameters)
    query = URI.encode_www_form({ key: key, note: note, **page_parameters, **parameters })
    @page = Browser.open("http://127.0.0.1:#{server.port}/logs/page?#{query}")
    wait { @page.evaluate("window.ready === true") }
  end

  def note = "#{self.class} #{name}"

  def start = @page.execute("start()")

  def text = @page.text("#text")

  def ids = @page.text("#ids").split

  # The Last-Event-IDs that came.
  def positions = server.notes.of(note).select { |note| note["what"] == "authorized" }.map { |note| note["last_event_id"] }

  def assert_text(expected, state:)
    wait { @page.text("#state") != "open" }

    assert_equal [expected, state], [text, @page.text("#state")]
  end
end

class FollowByEventSourceTest < Minitest::Test
  include FollowingPages

  private

  def page_parameters = {}
end

class FollowByModuleTest < Minitest::Test
  include FollowingPages

  private

  def page_parameters = { module: 1 }
end
