# frozen_string_literal: true

require "test_helper"
require "support/browser"
require_relative "running_demo"

# The demo's chat in Chromium: web server, worker, queue, logs and upstream are processes of their own.
class DemoChatTest < Minitest::Test
  QUESTION, ANSWER = File.read(File.join(RunningDemo::ROOT, "upstream/answers/1-tokens.txt"), encoding: "UTF-8").split("\n\n", 2).map(&:strip)

  def setup
    @pages = []
    @demo = RunningDemo.shared
  end

  def teardown
    warn @demo.log.lines.last(60).join unless passed?
    @pages.each(&:close)
  end

  def test_the_page_is_there_at_once_and_the_answer_comes_word_by_word
    page = ask
    seen = [0]
    until over?(page)
      seen << text(page).size
      sleep 0.02
    end

    assert_operator(seen.uniq.size, :>, 10)
    assert_equal(seen, seen.sort)
    assert_completed(page)
    assert_empty(page.errors)
  end

  def test_a_page_that_is_loaded_again_in_the_middle_has_each_word_once
    page = ask
    wait_for_words(page)
    page.go(page.evaluate("location.pathname"))

    assert_operator(text(page).size, :>, 20, "what was said is in the page itself")
    assert_completed(page)
    assert_includes(happenings(page), "the page has the text up to 1-")
  end

  def test_a_tab_that_is_closed_misses_nothing
    page = ask
    wait_for_words(page)
    path = page.evaluate("location.pathname")
    close(page)
    page = open_page("/")
    page.execute("document.querySelector('.history a[href=\"#{path}\"]').click()")
    page.wait("the chat") { page.text(".turn") }

    assert_completed(page)
  end

  def test_stop_keeps_what_was_said_and_try_again_asks_anew
    page = ask
    wait_for_words(page)
    page.execute("document.querySelector('.stop').click()") # which moves while the answer grows
    page.wait("the stopped answer") { phase(page) == "You have stopped this answer." }

    assert_operator(text(page).size, :>, 20)
    assert(ANSWER.start_with?(text(page)))
    page.click(".turn:last-child .under button")
    page.wait("another turn") { page.evaluate("document.querySelectorAll('.turn').length") == 2 }

    assert_completed(page)
  end

  def test_a_killed_worker_s_answer_is_recovered
    page = ask
    wait_for_words(page)
    page.click("[data-accident=worker]")
    page.wait("the page to notice") { happenings(page).include?("Recovering") }

    assert_completed(page)
    assert_match(/at the 2nd attempt\z/, phase(page))
    assert_match(/is dropped.*Attempt 2 begins, anew/m, happenings(page))
  end

  def test_a_lost_connection_goes_on_where_it_was
    page = ask
    wait_for_words(page)
    page.click("[data-accident=connection]")
    page.wait("the page to notice") { page.text(".turn:last-child .phase").to_s.start_with?("The connection is lost") }

    assert_completed(page)
    assert_match(/Connection lost at (1-\d+).*the log goes on behind \1/m, happenings(page))
    refute_includes(happenings(page), "is dropped")
  end

  def test_words_come_over_action_cable_as_well
    %w[turbo cable].each do |way|
      page = ask(way: way)

      assert_completed(page)
      assert_match(/passages, up to 1-\d+/, happenings(page))
      assert_empty(page.errors, way)
    end
  end

  def test_what_action_cable_missed_while_it_was_away_is_read_from_the_log
    %w[turbo cable].each do |way|
      page = ask(way: way)
      wait_for_words(page)
      page.click("[data-accident=connection]")
      page.wait("the page to notice") { happenings(page).include?("Connection lost at 1-") }

      assert_completed(page)
    end
  end

  def test_an_answer_s_final_state_from_the_worker_can_be_acted_upon
    page = ask(way: "turbo", trouble: "deny")
    page.wait("the failure") { phase(page) == "The service refused the request." }
    page.click(".turn:last-child .under button")
    page.wait("another turn") { page.evaluate("document.querySelectorAll('.turn').length") == 2 }

    assert_completed(page)
  end

  def test_an_answer_that_broke_off_begins_anew_by_itself
    page = ask(trouble: "drop")

    assert_completed(page)
    assert_match(/at the 2nd attempt\z/, phase(page))
  end

  def test_what_the_model_refuses_says_so_and_can_be_tried_again
    page = ask(trouble: "deny")
    page.wait("the failure") { phase(page) == "The service refused the request." }
    page.click(".turn:last-child .under button")
    page.wait("another turn") { page.evaluate("document.querySelectorAll('.turn').length") == 2 }

    assert_completed(page)
  end

  def test_the_page_fits_a_screen_of_320_pixels_while_it_receives
    page = ask
    page.look(width: 320)
    wait_for_words(page)

    assert_operator(page.evaluate("document.documentElement.scrollWidth"), :<=, 320)
    assert_completed(page)
  end

  def test_two_web_servers_show_the_same_answer
    @demo = RunningDemo.shared("redis")
    page = ask
    wait_for_words(page)
    other = open_page(page.evaluate("location.pathname"), @demo.urls.last)

    refute_equal(page.text(".served")[/web \d/], other.text(".served")[/web \d/])
    [page, other].each { |one| assert_completed(one) }
  end

  private

  def open_page(path, base = @demo.urls.first) = Browser.open("#{base}#{path}").tap { |page| @pages << page }

  def close(page) = @pages.delete(page).close

  # A page whose question was sent off.
  def ask(way: "sse", trouble: "")
    page = open_page("/?via=#{way}")
    page.execute("document.getElementById('trouble').value = arguments[0]", trouble)
    page.execute("document.getElementById('prompt').value = arguments[0]", QUESTION)
    page.click("#composer .primary")
    page.wait("the chat") { page.text(".turn") }
    page
  end

  def wait_for_words(page) = page.wait("some words") { text(page).size > 40 }

  def text(page) = page.text(".turn:last-child .answer").to_s

  def phase(page) = page.text(".turn:last-child .phase").to_s.strip

  def happenings(page) = page.evaluate("document.getElementById('happenings').innerText")

  def over?(page) = page.evaluate("document.querySelector('.turn:last-child .standing').dataset.status !== 'processing'")

  def assert_completed(page)
    page.wait("the end; the page says: #{phase(page)}\n#{happenings(page)}") { over?(page) }

    assert_match(/\ACompleted after/, phase(page), happenings(page))
    assert_equal(ANSWER, text(page))
  end
end
