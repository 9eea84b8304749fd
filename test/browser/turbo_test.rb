# frozen_string_literal: true

require "test_helper"
require "json"
require "support/browser"
require "support/module_site"

# A stream in a page that Turbo, or the browser, leaves, keeps, shows again and morphs.
class BrowserTurboTest < Minitest::Test
  MORPH = '<meta name="turbo-refresh-method" content="morph"><meta name="turbo-refresh-scroll" content="preserve">'

  # An endless numbered stream from behind the last id, a number every 10 ms, up to what the test has released.
  class Numbers
    attr_writer :last

    def initialize(site, path, id: true)
      @last = 3
      @open = 0
      @lock = Mutex.new
      site.on(path) { |exchange| count { write(exchange, id) } }
    end

    # Connections at this moment.
    def open = @lock.synchronize { @open }

    private

    def count
      @lock.synchronize { @open += 1 }
      yield
    ensure
      @lock.synchronize { @open -= 1 }
    end

    def write(exchange, id)
      exchange.head.chunk("retry: 10\n\n")
      number = exchange.request.headers["last-event-id"].to_i
      loop do
        exchange.pause(0.01)
        next if number >= @last

        number += 1
        exchange.chunk("#{"id: #{number}\n" if id}data: #{number} \n\n")
      end
    end
  end

  def setup
    @site = ModuleSite.new
    @numbers = Numbers.new(@site, "/stream")
    @site.page("/a", "#{source} <a href='/b'>b</a>", turbo: true)
    @site.page("/b", "<h1>b</h1><a href='/a'>a</a>", turbo: true)
  end

  def teardown
    @page&.close
    @site.stop
  end

  # Rows 52 and 98 of the failure table.
  def test_one_connection_a_page_across_visits_back_and_forward_and_the_text_is_exact
    visit("/a")
    wait_text(3)
    connections(1)
    @page.click("a[href='/b']")
    arrive("/b")
    connections(0)
    @numbers.last = 5
    @page.execute("history.back()")
    arrive("/a")
    wait_text(5)
    connections(1)
    @page.execute("history.forward()")
    arrive("/b")
    connections(0)
    @numbers.last = 8
    @page.execute("history.back()")
    wait_text(8)
    connections(1)

    assert_equal [nil, "3", "5"], cursors
    pages = %w[/a /b].flat_map { |path| @site.requests(path) }.reject { |request| request.headers["x-sec-purpose"] == "prefetch" }

    assert_equal %w[/a /b], pages.map(&:path), "pages come back from Turbo's cache; #{pages.map(&:headers)}"
  end

  def test_a_preview_of_the_cached_page_opens_no_connection
    gate = Thread::Queue.new
    visit("/a")
    wait_text(3)
    @page.click("a[href='/b']")
    arrive("/b")
    @site.on("/a") do |exchange|
      gate.pop
      exchange.answer("<html><body><h1>fresh</h1></body></html>", type: "text/html")
    end
    @page.click("a[href='/a']")
    @page.wait("the preview") { @page.evaluate("document.documentElement.hasAttribute('data-turbo-preview')") }

    assert_equal "1 2 3 ", text
    gate << true
    @page.wait("the page itself") { heading == "fresh" }

    assert_equal 1, @site.requests("/stream").size
  end

  def test_a_stream_that_was_over_before_the_visit_is_over_after_it
    @site.on("/stream") { |exchange| exchange.head.chunk("data: all\n\nevent: done\ndata: {}\n\n").finish }
    visit("/a")
    @page.wait("the end") { state == "done" }
    @page.click("a[href='/b']")
    arrive("/b")
    @page.execute("history.back()")
    arrive("/a")
    @page.wait("the state") { shown_state == "Finished" }

    assert_equal "all", text
    assert_equal 1, @site.requests("/stream").size
  end

  def test_a_stream_without_ids_begins_again_after_the_visit_with_an_empty_text
    Numbers.new(@site, "/stream", id: false)
    visit("/a")
    wait_text(3)
    @page.click("a[href='/b']")
    arrive("/b")
    @page.execute("history.back()")
    arrive("/a")
    @page.wait("the second connection's text") { @site.requests("/stream").size == 2 && state == "open" && text == "1 2 3 " }
    @page.execute("requestAnimationFrame(() => requestAnimationFrame(() => (window.later = true)))")
    @page.wait("two frames more") { @page.evaluate("window.later === true") }

    assert_equal "1 2 3 ", text
  end

  def test_a_permanent_element_goes_on_across_a_visit
    [%w[/a /b], %w[/b /a]].each do |path, other|
      @site.page(path, "<div id='kept' data-turbo-permanent>#{source}</div> <a href='#{other}'>go</a><h1>#{path}</h1>", turbo: true)
    end
    visit("/a")
    wait_text(3)
    @page.click("a")
    arrive("/b")
    @page.wait("the next page") { heading == "/b" }
    @numbers.last = 6
    wait_text(6)
    connections(1)
  end

  def test_morphing_leaves_the_text_the_state_and_the_connection
    @site.page("/a", "#{source}<h1>before</h1>", turbo: true, head: MORPH)
    visit("/a")
    wait_text(3)
    @site.page("/a", "#{source}<h1>after</h1>", turbo: true, head: MORPH)
    @page.execute("window.element = document.querySelector('[data-controller]'); Turbo.session.refresh(location.href)")
    @page.wait("the morphing") { heading == "after" }

    assert @page.evaluate("element.isConnected")
    assert_equal "1 2 3 ", text
    assert_equal "open", state
    assert_equal "Receiving", shown_state
    @numbers.last = 6
    wait_text(6)

    assert_equal 1, @site.requests("/stream").size
  end

  def test_morphing_to_another_source_begins_anew_and_to_a_complete_answer_shows_it
    other = Numbers.new(@site, "/other")
    other.last = 2
    @site.page("/a", source, turbo: true, head: MORPH)
    visit("/a")
    wait_text(3)
    @site.page("/a", source("/other"), turbo: true, head: MORPH)
    refresh
    wait_text(2)
    connections(0)
    @site.page("/a", "<div data-controller='streamer'><p data-streamer-target='text'>the whole answer</p></div>", turbo: true, head: MORPH)
    refresh
    @page.wait("the answer") { text == "the whole answer" }
    @page.wait("the other's end") { other.open.zero? }

    assert_equal [nil], @site.requests("/other").map { |request| request.headers["last-event-id"] }
  end

  def test_a_form_that_streams_is_not_submitted_by_turbo
    @site.on("/answers") { |exchange| exchange.head.chunk("data: the answer\n\nevent: done\ndata: {}\n\n").finish }
    @site.page("/a", <<~HTML, turbo: true)
      <form action="/answers" method="post" data-controller="streamer" data-action="streamer#start">
        <button>Ask</button><p data-streamer-target="text"></p><button type="button" data-streamer-target="stop">Stop</button>
      </form>
    HTML
    visit("/a")
    @page.wait("the controller") { @page.evaluate("document.querySelector('[aria-disabled]') !== null") }
    @page.click("button")
    @page.wait("the answer") { text == "the answer" }

    assert_equal "/a", @page.evaluate("location.pathname")
    assert_equal 1, @site.requests("/answers").size
  end

  # Row 98 of the failure table.
  def test_a_page_in_the_back_forward_cache_holds_no_connection_and_goes_on_when_it_is_shown_again
    @site.page("/a", "#{source}<script>addEventListener('pageshow', ({ persisted }) => (window.persisted = persisted))</script>")
    @site.page("/b", "<h1>b</h1>", script: "")
    visit("/a")
    wait_text(3)
    @page.go("/b")
    connections(0)
    @numbers.last = 5
    @page.back
    wait_text(5)
    connections(1)

    assert @page.evaluate("window.persisted"), "the page came from the network"
    assert_equal [nil, "3"], cursors
  end

  # Row 61 of the failure table.
  def test_leaving_the_page_and_closing_the_tab_leave_no_stream_open
    visit("/a")
    wait_text(3)
    @page.go("/b")
    connections(0)
    @page.go("/a")
    connections(1)
    @page.close
    @page = nil
    connections(0)
  end

  private

  def source(path = "/stream")
    <<~HTML
      <div data-controller="streamer" data-streamer-src-value="#{path}"><p data-streamer-target="text"></p><p data-streamer-target="state"></p></div>
    HTML
  end

  def visit(path) = @page = Browser.open(@site.url(path))
  def arrive(path) = @page.wait(path) { @page.evaluate("location.pathname") == path }
  def refresh = @page.execute("Turbo.session.refresh(location.href)")
  def text = @page.evaluate("document.querySelector('[data-streamer-target=text]')?.textContent")
  def heading = @page.evaluate("document.querySelector('h1')?.textContent")
  def shown_state = @page.evaluate("document.querySelector('[data-streamer-target=state]')?.textContent")
  def state = @page.evaluate("document.querySelector('[data-controller]')?.dataset.streamerStateValue")
  def cursors = @site.requests("/stream").map { |request| request.headers["last-event-id"] }

  def wait_text(last)
    wanted = (1..last).map { |number| "#{number} " }.join
    @page.wait("#{wanted}; there is #{text.inspect}") { text == wanted }
  end

  def connections(count)
    deadline = Upstream.now + 10
    sleep 0.01 until @numbers.open == count || Upstream.now > deadline

    assert_equal count, @numbers.open
  end
end
