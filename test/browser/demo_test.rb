# frozen_string_literal: true

require "test_helper"
require "json"
require "support/browser"
require_relative "demo_server"

# The four pages of the demo, in Chromium, through EventSource, on a real server.
module DemoTests
  # Of the answer page's default question.
  RECORDING = File.join(DemoServer::ROOT, "demo/upstream/answers/1-tokens.txt")
  ANSWER = File.read(RECORDING, encoding: "UTF-8").split("\n\n", 2).last.strip
  PARAGRAPHS = "[...document.querySelectorAll('#answer p')].map((paragraph) => paragraph.textContent)"

  def setup
    @pages = []
    @demo = DemoServer.shared(self.class::SERVER)
  end

  def teardown
    @pages.each(&:close)
  end

  def test_an_answer_of_each_provider_arrives_token_by_token_and_whole
    pages = %w[openai anthropic gemini].map { |provider| start("/answer/new", provider: provider, pace: 200) }

    pages.each do |page|
      finish(page)
      # An empty text comes first or last from some, and before the pause in which a model thinks.
      tokens = page.streams.first.events.select { |event| event.type == "token" && JSON.parse(event.data).values != [""] }

      assert_equal ANSWER, page.evaluate(PARAGRAPHS).join("\n\n")
      assert_equal [["done"]], page.streams.map { |stream| stream.events.map(&:type).uniq - ["token"] }
      assert_progressive tokens, per_second: 200
    end
  end

  def test_an_operation_reports_each_step_when_it_is_done
    page = start("/operation/new", pace: 20)
    finish(page)
    *steps, done = page.streams.first.events

    assert_equal [*"1".."20"], steps.map(&:id)
    assert_equal [*1..20], steps.map { |step| JSON.parse(step.data)["done"] }
    assert_equal "done", done.type
    assert_equal "100 %", page.text("#percent")
    assert_equal 20, page.evaluate("document.querySelectorAll('#steps .done').length")
    assert_progressive steps, per_second: 20
  end

  def test_three_calls_are_made_at_once_and_each_result_is_there_when_it_is_known
    page = start("/comparison/new", air: 0.5, rail: 2.5, sea: 1.5)
    finish(page)
    air, sea, rail, done = page.streams.first.events

    assert_equal %w[air sea rail], [air, sea, rail].map { |event| JSON.parse(event.data)["name"] }
    assert_equal "done", done.type
    [[air, sea], [sea, rail]].each { |one, next_one| assert_operator next_one.at - one.at, :>, 0.3 }
    assert_equal "best", page.evaluate("document.getElementById('quote-sea').dataset.state")
    assert_match "€1,840", page.text("#quote-air .price")
  end

  def test_a_log_arrives_line_by_line_until_it_is_stopped
    page = start("/log/new", pace: 100)
    page.wait("60 lines") { page.evaluate("document.querySelectorAll('#log li').length") >= 60 }
    page.click("#stop")
    page.wait("the end of the stream") { page.streams.first.outcome }
    lines = page.streams.first.events

    assert_equal "stopped", state(page)
    assert_equal [*1..lines.size], lines.map { |line| line.id.to_i }
    assert_equal ["line"], lines.map(&:type).uniq
    assert_progressive lines, per_second: 100
  end

  def test_stop_reaches_the_upstream
    left = @demo.upstream_log.scan("the reader left").size
    page = start("/answer/new", pace: 30)
    page.wait("ten tokens") { page.text("#count").to_i >= 10 }
    page.click("#stop")
    report = page.wait("the upstream's notice") { @demo.upstream_log.scan(/the reader left after (\d+) of (\d+)/)[left] }
    sent, all = report.map(&:to_i)
    received = page.streams.first.events.size

    assert_equal "stopped", state(page)
    assert_operator sent, :<, all / 2
    assert_operator sent - received, :<, 90, "the upstream wrote for three seconds to nobody"
    assert_equal 1, page.streams.size
  end

  def test_an_upstream_that_refuses_or_breaks_off_ends_in_one_error_event
    refused = start("/answer/new", trouble: "refuse")
    broken = start("/answer/new", trouble: "drop", pace: 200)
    [refused, broken].each { |page| page.wait("the failure") { state(page) == "failed" } }

    assert_equal [["error"]], refused.streams.map { |stream| stream.events.map(&:type) }
    assert_match "Nothing had arrived", refused.text("#failure")
    assert_equal [%w[token error]], broken.streams.map { |stream| stream.events.map(&:type).uniq }
    assert_match "It broke off", broken.text("#failure")
    assert_match(/\d+ events had arrived/, broken.text("#failure"))
  end

  private

  def open_demo(path) = Browser.open(@demo.url(path)).tap { |opened| @pages << opened }

  # A page whose form is filled in and sent off.
  def start(path, **fields)
    page = open_demo(path)
    page.execute(<<~JS, fields.transform_keys(&:to_s))
      const { elements } = document.getElementById("form")
      for (const [name, value] of Object.entries(arguments[0])) {
        if (elements[name].type === "checkbox") elements[name].checked = value
        else elements[name].value = value
      }
    JS
    page.click(".primary")
    page
  end

  # To the stream's end, with nothing to complain of.
  def finish(page)
    page.wait("the end; the page says #{state(page)}") { %w[done failed].include?(state(page)) }

    assert_equal "done", state(page), page.text("#failure")
    page.wait("the network's account of it") { page.streams.any? { |stream| stream.events.last&.type == "done" } }
    assert_empty page.errors
  end

  def state(page) = page.evaluate("document.getElementById('state').dataset.state")

  # Spread over the time that they were written in, and never silent for longer than a busy machine may be.
  def assert_progressive(events, per_second:)
    moments = events.map(&:at)

    assert_operator moments.last - moments.first, :>, 0.6 * events.size / per_second
    assert_operator moments.each_cons(2).map { |one, next_one| next_one - one }.max, :<, 3
  end
end

class DemoOnPumaTest < Minitest::Test
  SERVER = :puma
  include DemoTests

  # The browser's own time to reconnect is 3 s.
  LONGER_THAN_A_RECONNECT = 3.4

  # From here on: the browser's own doing, whatever the server.

  def test_an_operation_whose_connection_is_lost_goes_on_from_the_last_step
    page = start("/operation/new", pace: 20, lose: true)
    page.wait("a second request") { page.streams.size == 2 }
    finish(page)
    first, second = page.streams

    assert_equal [nil, "8"], page.streams.map { |stream| stream.headers["Last-Event-ID"] }
    assert_equal [*1..8], first.events.map { |event| event.id.to_i }
    assert_equal [*9..20], second.events[..-2].map { |event| event.id.to_i }
    assert_equal 2, page.streams.size
  end

  def test_every_page_fits_a_screen_of_320_pixels_while_it_receives
    { "/answer/new" => { pace: 30 }, "/operation/new" => { pace: 20 }, "/comparison/new" => {}, "/log/new" => { pace: 30 } }.each do |path, fields|
      page = start(path, **fields)
      page.look(width: 320)
      page.wait("an event of #{path}") { page.text("#count").to_i.positive? }

      assert_operator page.evaluate("document.documentElement.scrollWidth"), :<=, 320, path
      assert_operator page.evaluate("Math.min(...[...document.querySelectorAll('.primary, #stop')].map((button) => button.offsetHeight))"), :>=, 24
    end
  end

  def test_the_page_is_dark_where_the_reader_wants_it
    page = open_demo("/answer/new")
    lightness = lambda do |scheme|
      page.look(scheme: scheme)
      page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
          .map { |colour| colour.scan(/[\d.]+/).first(3).sum(&:to_f) }
    end

    assert_operator(*lightness["light"].then { |background, text| [background, :>, text] })
    assert_operator(*lightness["dark"].then { |background, text| [background, :<, text] })
  end

  def test_enter_asks_and_escape_stops
    page = open_demo("/answer/new")
    page.execute("document.getElementById('question').focus()")
    page.press(:Enter)
    page.wait("the first token") { page.text("#count").to_i.positive? }
    page.press(:Escape)

    assert_equal "stopped", state(page)
    page.wait("the end of the stream") { page.streams.first.outcome }
  end

  def test_a_page_that_is_done_does_not_ask_again
    pages = [start("/answer/new", pace: 200), start("/operation/new", pace: 20),
             start("/comparison/new", air: 0.2, rail: 0.2, sea: 0.2)]
    pages.each { |page| finish(page) }
    sleep LONGER_THAN_A_RECONNECT

    assert_equal [1, 1, 1], pages.map { |page| page.streams.size }
    assert_equal %w[done done done], pages.map { |page| state(page) }
  end
end

class DemoOnFalconTest < Minitest::Test
  SERVER = :falcon
  include DemoTests
end
