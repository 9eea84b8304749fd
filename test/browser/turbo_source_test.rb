# frozen_string_literal: true

require "test_helper"
require "support/app_server"
require "support/browser"

# Turbo Stream actions over an event stream, performed by turbo-rails' own <turbo-stream-source> in Chromium.
class TurboSourceTest < Minitest::Test
  APP = File.expand_path("../support/turbo_app.ru", __dir__)

  def self.server = @server ||= AppServer.new(:puma, app: APP, threads: "8:8").tap { |started| Minitest.after_run { started.stop } }

  def server = self.class.server

  def teardown
    @page&.close
    super
  end

  def test_every_action_of_turbo_is_performed_and_remove_ends_the_source
    visit "/pages/actions"
    wait("the end") { @page.evaluate("document.getElementById('source') === null") }

    assert_equal ["<i>one</i>\n\nevent: x", "of a block"], texts
    assert_equal %w[all all], @page.evaluate("Array.from(document.querySelectorAll('p'), (element) => element.textContent)")
    assert_equal %w[replaced after], @page.evaluate("Array.from(document.querySelectorAll('p'), (element) => element.id)")
    assert_equal 1, @page.streams.size
    assert_equal ["message"], @page.streams.first.events.map(&:type).uniq
  end

  def test_a_204_ends_the_source
    visit "/pages/over"
    wait("the answer") { @page.streams.first&.outcome }
    visit_within "two"
    wait("the other page's stream") { open_paths == ["/streams/two"] }

    assert_equal 1, server.notes.of("over").size
  end

  def test_the_stream_goes_on_behind_what_the_page_contains_and_after_a_lost_connection_behind_what_had_come
    visit "/pages/#{name}?shown=2&count=6&cut=4"
    wait("the last message") { texts.size == 6 }

    assert_equal((1..6).map { |number| "message #{number}" }, texts)
    assert_equal [[2, nil], [4, "4"]], began(name).first(2)
  end

  def test_a_page_has_one_connection_after_visits_back_and_forward # row 52
    visit "/pages/one?count=2&hold=yes"
    assert_one_connection "one"
    visit_within "two"
    assert_one_connection "two"
    @page.execute("history.back()") # from Turbo's cache, without a request for the page
    assert_one_connection "one"
    @page.execute("history.forward()")
    assert_one_connection "two"
    visit_within "one" # with a preview from the cache
    assert_one_connection "one"
    assert_empty @page.errors
  end

  def test_a_page_that_is_refreshed_by_morphing_keeps_its_connection # rows 52 and 98
    visit "/pages/one?shown=2&count=2&hold=yes&refresh=morph"
    assert_one_connection "one"
    @page.execute("document.body.dataset.mark = 'old'; Turbo.session.refresh(location.href)")
    wait("the refreshed page") { @page.evaluate("document.body.dataset.mark === undefined") }
    assert_one_connection "one"
    assert_equal 1, @page.streams.size
  end

  private

  def visit(path)
    @page = Browser.open("http://127.0.0.1:#{server.port}#{path}")
  end

  def visit_within(id)
    wait("Turbo") { @page.evaluate("typeof Turbo === 'object'") }
    @page.execute("document.querySelector('#to-#{id}').click()")
    wait("the page #{id}") { @page.text("h1") == id && !@page.evaluate("document.documentElement.hasAttribute('data-turbo-preview')") }
  end

  def wait(what, &block) = @page.wait(what, timeout: 20, &block)

  def texts = @page.evaluate("Array.from(document.querySelectorAll('#messages li'), (element) => element.textContent)")

  def open_paths = @page.streams.reject(&:outcome).map(&:path)

  # As the browser and as the server see it, and each message once.
  def assert_one_connection(id)
    wait("the page #{id}") { @page.text("h1") == id }
    wait("one connection") { open_paths == ["/streams/#{id}"] }
    wait("the end of all others") { still_open == 1 }
    wait("each message once") { texts == ["message 1", "message 2"] } # one that is there already is moved when it is appended again
  end

  def still_open
    notes = %w[one two].flat_map { |id| server.notes.of(id) }.map { |note| note["what"] }
    notes.count("began") - notes.count("ended")
  end

  def began(id) = server.notes.of(id).select { |note| note["what"] == "began" }.map { |note| note.values_at("seen", "header") }
end
