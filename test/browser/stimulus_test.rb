# frozen_string_literal: true

require "test_helper"
require "json"
require "support/browser"
require "support/module_site"

# What the attributes of a page do with an event stream, in Chromium.
class StimulusTest < Minitest::Test
  STRICT = "default-src 'none'; script-src 'nonce-#{ModuleSite::NONCE}'; connect-src 'self'; img-src data:; " \
           "require-trusted-types-for 'script'; trusted-types 'none'"

  def setup
    @site = ModuleSite.new
    @pages = []
  end

  def teardown
    @pages.each(&:close)
    @site.stop
  end

  def test_text_is_appended_at_the_path_of_each_event_and_the_states_are_shown
    stream(token("Hello"), token(", "), "event: usage\ndata: {\"text\":\"no\"}\n\n", token("world"), done)
    page = visit(<<~HTML)
      <div data-controller="streamer" data-streamer-src-value="/stream" data-streamer-event-value="token" data-streamer-path-value="parts.0.text">
        <p data-streamer-target="text"></p><p data-streamer-target="state" data-done="Fertig"></p><p data-streamer-target="error"></p>
      </div>
    HTML
    page.wait("the end") { page.text("[data-streamer-target=state]") == "Fertig" }

    assert_equal "Hello, world", text(page)
    assert_equal 1, page.evaluate("document.querySelector('[data-streamer-target=text]').childNodes.length")
    assert_equal "done", attribute(page, "[data-controller]", "data-streamer-state-value")
    assert_equal 1, @site.requests("/stream").size
    assert_empty page.errors
  end

  def test_each_event_reaches_the_target_that_names_it
    stream("event: progress\ndata: {\"done\":3,\"total\":12}\n\n", "event: line\ndata: {\"message\":\"one\"}\n\n",
           "event: line\ndata: {\"message\":\"two\"}\n\n", "data: plain\n\n", done)
    page = visit(<<~HTML)
      <div data-controller="streamer" data-streamer-src-value="/stream">
        <progress data-streamer-target="progress" data-streamer-event="progress" data-streamer-path="done" data-streamer-max="total"></progress>
        <ol data-streamer-target="log" data-streamer-event="line" data-streamer-path="message"></ol>
        <p data-streamer-target="text"></p>
      </div>
    HTML
    ended(page)

    assert_equal [3, 12], page.evaluate("[document.querySelector('progress').value, document.querySelector('progress').max]")
    assert_equal %w[one two], page.evaluate("[...document.querySelectorAll('ol > li')].map((line) => line.textContent)")
    assert_equal "plain", text(page)
  end

  def test_markup_in_the_stream_stays_text_under_a_strict_policy_and_trusted_types
    markup = "<img src=x onerror=\"document.title='injected'\"><script>document.title='injected'</script>"
    stream(token(markup), "event: line\ndata: #{JSON.generate(message: markup)}\n\n",
           "event: error\ndata: #{JSON.generate(error: "internal", message: markup)}\n\n")
    page = visit(<<~HTML, headers: { "content-security-policy" => STRICT })
      <div data-controller="streamer" data-streamer-src-value="/stream" data-streamer-event-value="token" data-streamer-path-value="parts.0.text">
        <p data-streamer-target="text"></p>
        <div data-streamer-target="log" data-streamer-event="line" data-streamer-path="message"></div>
        <p data-streamer-target="error" hidden></p><p data-streamer-target="state"></p>
      </div>
    HTML
    page.wait("the failure") { page.text("[data-streamer-target=state]") == "Failed" }

    assert_equal [markup] * 3, %w[text log error].map { |name| page.text("[data-streamer-target=#{name}]") }
    assert_equal 0, page.evaluate("document.querySelectorAll('body img, body script').length")
    assert_equal "/page", page.evaluate("document.title")
    assert_equal "alert", attribute(page, "[data-streamer-target=error]", "role")
    refute page.evaluate("document.querySelector('[data-streamer-target=error]').hidden")
    assert_empty page.errors
  end

  def test_a_strict_policy_lets_a_post_stream_too
    @site.on("/stream") { |exchange| exchange.head.chunk("data: #{exchange.request.body}\n\n#{done}").finish }
    page = visit(<<~HTML, headers: { "content-security-policy" => STRICT })
      <div data-controller="streamer" data-streamer-src-value="/stream" data-streamer-method-value="post"
           data-streamer-params-value='{"question":"Why?"}'><p data-streamer-target="text"></p></div>
    HTML
    ended(page)

    assert_equal '{"question":"Why?"}', text(page)
    assert_equal "application/json", @site.requests("/stream").first.headers["content-type"]
    assert_empty page.errors
  end

  def test_the_stop_button_ends_the_connection_and_nobody_asks_again
    stream("retry: 10\n\n", token("a"), finish: false)
    page = visit(with_text('<button type="button" data-streamer-target="stop">Stop</button>'))
    page.wait("the text") { text(page) == "a" }

    assert_equal "false", attribute(page, "button", "aria-disabled")
    page.click("button")

    assert @site.requests("/stream").first.wait_gone
    assert_equal "stopped", state(page)
    assert_equal "true", attribute(page, "button", "aria-disabled")
    page.execute("dispatchEvent(new Event('online'))")

    assert_equal 1, @site.requests("/stream").size
  end

  # Row 99 of the failure table.
  def test_a_screen_reader_hears_the_text_once_it_is_complete_and_no_log_line_by_line
    gate = Thread::Queue.new
    @site.on("/stream") do |exchange|
      exchange.head.chunk(token("a"))
      gate.pop
      exchange.chunk(done).finish
    end
    page = visit(with_text('<div data-streamer-target="log"></div><p data-streamer-target="state"></p>'))
    page.wait("the text") { text(page) == "a" }

    assert_equal %w[polite true], [attribute(page, "[data-streamer-target=text]", "aria-live"), busy(page)]
    assert_equal %w[log off], %w[role aria-live].map { |name| attribute(page, "[data-streamer-target=log]", name) }
    assert_equal "status", attribute(page, "[data-streamer-target=state]", "role")
    gate << true
    ended(page)

    assert_equal "false", busy(page)
  end

  def test_a_thousand_events_of_one_read_are_one_change_of_the_page
    @site.on("/stream") { |exchange| exchange.head.chunk(Array.new(1000) { |index| token("#{index} ") }.join).pause(0.15).chunk(done).finish }
    page = visit(with_text, head: <<~HTML)
      <script nonce="#{ModuleSite::NONCE}">
        window.changes = 0
        addEventListener("DOMContentLoaded", () => new MutationObserver((records) => (changes += records.length))
          .observe(document.querySelector("[data-streamer-target=text]"), { characterData: true, subtree: true }))
      </script>
    HTML
    ended(page)

    assert_equal Array.new(1000) { |index| "#{index} " }.join, text(page)
    assert_operator page.evaluate("changes"), :<, 100
  end

  def test_a_hidden_tab_gets_its_text_by_timer
    gate = Thread::Queue.new
    @site.on("/stream") do |exchange|
      gate.pop
      exchange.head.chunk(token("hidden")).stall
    end
    # As a hidden tab has it: no frames.
    page = visit(with_text, head: "<script>window.requestAnimationFrame = () => 0</script>")
    gate << true
    page.wait("the text") { text(page) == "hidden" }

    assert_equal "hidden", text(page)
  end

  def test_a_log_keeps_its_last_thousand_lines_and_follows_the_end_unless_the_reader_has_scrolled_up
    gate = Thread::Queue.new
    lines = ->(range) { range.map { |index| "data: #{index}\n\n" }.join }
    @site.on("/stream") do |exchange|
      exchange.head.chunk(lines[1..1500])
      gate.pop
      exchange.chunk(lines[1501..1510])
      gate.pop
      exchange.chunk(done).finish
    end
    page = visit(<<~HTML)
      <div data-controller="streamer" data-streamer-src-value="/stream">
        <ul data-streamer-target="log" style="height: 100px; overflow: auto"></ul>
      </div>
    HTML
    page.wait("the lines") { page.evaluate("document.querySelector('ul').lastChild?.textContent") == "1500" }

    assert_equal [1000, "501"], page.evaluate("[document.querySelectorAll('li').length, document.querySelector('li').textContent]")
    assert_operator below(page), :<, 2
    page.execute("document.querySelector('ul').scrollTop = 0")
    gate << true
    page.wait("more lines") { page.evaluate("document.querySelector('ul').lastChild.textContent") == "1510" }

    assert_operator below(page), :>, 1000
    gate << true
    ended(page)
  end

  def test_a_form_streams_its_answer_with_its_method_fields_and_token
    @site.on("/answers") { |exchange| exchange.head.chunk("#{token(exchange.request.body[/name="question"\r\n\r\n(.*)\r\n/, 1])}#{done}").finish }
    page = visit(<<~HTML, head: '<meta name="csrf-token" content="the-token">')
      <form action="/answers" method="post" data-controller="streamer" data-action="streamer#start" data-streamer-event-value="token"
            data-streamer-path-value="parts.0.text">
        <input name="question" value="Why?"><input name="action" type="hidden"><button>Ask</button><p data-streamer-target="text"></p>
        <button type="button" id="stop" data-streamer-target="stop">Stop</button>
      </form>
    HTML
    page.wait("the controller") { attribute(page, "#stop", "aria-disabled") == "true" }
    2.times do |round|
      page.click("button")
      page.wait("answer #{round}") { @site.requests("/answers").size == round + 1 && state(page) == "done" }

      assert_equal "Why?", text(page)
    end

    assert_equal [%w[POST the-token]] * 2, @site.requests("/answers").map { |request| [request.method, request.headers["x-csrf-token"]] }
  end

  # Row 93 of the failure table.
  def test_an_element_that_is_made_anew_goes_on_from_the_cursor_in_the_page
    round = 0
    @site.on("/stream") do |exchange|
      round += 1
      round == 1 ? exchange.head.chunk("id: 1\n#{token("a")}id: 2\n#{token("b")}").stall : exchange.head.chunk("id: 3\n#{token("c")}#{done}").finish
    end
    page = visit(with_text)
    page.wait("the text") { text(page) == "ab" }
    page.execute("const element = document.querySelector('[data-controller]'); element.replaceWith(element.cloneNode(true))")
    ended(page)

    assert_equal "abc", text(page)
    assert_equal [nil, "2"], @site.requests("/stream").map { |request| request.headers["last-event-id"] }
    assert @site.requests("/stream").first.wait_gone
  end

  def test_another_source_takes_the_place_of_the_first
    stream("id: 9\n#{token("old")}", finish: false)
    stream("id: 1\n#{token("new")}", done, path: "/other")
    page = visit(with_text)
    page.wait("the text") { text(page) == "old" }
    page.execute("document.querySelector('[data-controller]').dataset.streamerSrcValue = '/other'")
    ended(page)

    assert_equal "new", text(page)
    assert_nil @site.requests("/other").first.headers["last-event-id"]
  end

  def test_an_element_within_another_has_a_stream_of_its_own
    stream("data: outer\n\n", done)
    stream("data: inner\n\n", done, path: "/inner")
    page = visit(<<~HTML)
      <div data-controller="streamer" data-streamer-src-value="/stream"><p data-streamer-target="text"></p>
        <div id="inner" data-controller="streamer" data-streamer-src-value="/inner"><p data-streamer-target="text"></p></div>
      </div>
    HTML
    page.wait("both ends") { page.evaluate("document.querySelectorAll('[data-streamer-state-value=done]').length") == 2 }

    assert_equal %w[outer inner], page.evaluate("[...document.querySelectorAll('p')].map((element) => element.textContent)")
  end

  private

  def stream(*frames, path: "/stream", finish: true)
    @site.on(path) do |exchange|
      exchange.head.chunk(frames.join)
      finish ? exchange.finish : exchange.stall
    end
  end

  def token(text) = "event: token\ndata: #{JSON.generate(parts: [{ text: text }])}\n\n"
  def done = "event: done\ndata: {}\n\n"

  def with_text(more = "")
    <<~HTML
      <div data-controller="streamer" data-streamer-src-value="/stream" data-streamer-event-value="token" data-streamer-path-value="parts.0.text">
        <p data-streamer-target="text"></p>#{more}
      </div>
    HTML
  end

  def visit(body, **options)
    @site.page("/page", body, **options)
    Browser.open(@site.url("/page")).tap { |page| @pages << page }
  end

  # Pixels of the log that are below what is seen.
  def below(page)
    page.evaluate("(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)(document.querySelector('ul'))")
  end

  def ended(page) = page.wait("the end; it is #{state(page)}") { state(page) == "done" }
  def state(page) = attribute(page, "[data-controller]", "data-streamer-state-value")
  def text(page) = page.evaluate("document.querySelector('[data-streamer-target=text]').textContent")
  def busy(page) = attribute(page, "[data-streamer-target=text]", "aria-busy")
  def attribute(page, selector, name) = page.evaluate("document.querySelector(#{selector.to_json}).getAttribute(#{name.to_json})")
end
