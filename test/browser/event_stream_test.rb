# frozen_string_literal: true

require "test_helper"
require "json"
require "support/app_server"
require "support/browser"
require "support/module_site"
require "support/proxy"

# The module in Chromium, where its first connection is the browser's own EventSource.
class BrowserEventStreamTest < Minitest::Test
  # Puma, with an application that checks tokens.
  class ForgeryServer < AppServer
    private

    def puma(bind) = [*super[..-2], File.expand_path("forgery_app.ru", __dir__)]
  end

  SCRIPT = <<~JS
    import { EventStream } from "streamer"
    window.follow = (name, url, options) => {
      const stream = new EventStream(url, options)
      const seen = (window[name] = { stream, texts: [], names: [], errors: [] })
      for (const type of ["open", "message", "gap", "reset", "done", "error"]) {
        stream.addEventListener(`streamer:${type}`, ({ detail }) => {
          seen.names.push(type)
          if (type === "message") seen.texts.push(detail.data)
          if (type === "error") seen.errors.push(detail)
        })
      }
      stream.open()
    }
  JS

  def setup
    @site = ModuleSite.new
    @site.page("/page", "", script: SCRIPT)
  end

  def teardown
    @page&.close
    @site.stop
  end

  def test_a_get_is_the_browsers_own_event_source_and_a_post_is_fetched
    @site.on("/stream") { |exchange| exchange.head.chunk("data: a\n\nevent: done\ndata: x\n\n").finish }
    follow("/stream")
    wait_state("done")
    follow("/stream", method: "POST")
    wait_state("done")

    assert_equal %w[/stream], @page.streams.map(&:path)
    assert_equal %w[GET POST], @site.requests("/stream").map(&:method)
    assert_equal %w[open message done], seen("names")
  end

  # Row 28 of the failure table.
  [401, 403, 404].each do |status|
    define_method("test_#{status}_ends_the_stream_at_first_and_on_the_way_back") do
      @site.on("/first") { |exchange| exchange.answer("no", status: status) }
      @site.on("/later") do |exchange|
        next exchange.answer("no", status: status) if @site.requests("/later").size > 1

        exchange.head.chunk("retry: 10\nid: 1\ndata: a\n\n").finish
      end
      { "/first" => 2, "/later" => 3 }.each do |path, requests|
        follow(path)
        wait_state("failed")
        wake

        assert_equal [true, status], seen("errors").last.values_at("fatal", "status")
        # The EventSource does not say why it was turned away; one request by fetch does.
        assert_equal requests, @site.requests(path).size
      end
    end
  end

  # Row 43 of the failure table.
  def test_a_finished_stream_is_not_asked_for_again
    @site.on("/event") { |exchange| exchange.head.chunk("retry: 1\nid: 1\ndata: a\n\nevent: done\ndata: {}\n\n").finish }
    @site.on("/status") do |exchange|
      next exchange.answer(status: 204) if @site.requests("/status").size > 1

      exchange.head.chunk("retry: 10\nid: 1\ndata: a\n\n").finish
    end
    { "/event" => 1, "/status" => 3 }.each do |path, requests|
      follow(path)
      wait_state("done")
      wake

      assert_equal %w[a], seen("texts")
      assert_equal "done", seen("names").last
      assert_equal requests, @site.requests(path).size
    end
  end

  def test_a_lost_connection_goes_on_by_event_source_once_and_by_fetch_from_there
    @site.on("/stream") do |exchange|
      number = @site.requests("/stream").size
      case number
      when 1, 4 then exchange.head.chunk("retry: 10\nid: #{number}\ndata: #{number}\n\n").pause(0.1).close
      when 2, 3 then exchange.answer("busy", status: 503, headers: { "retry-after" => "0" })
      else exchange.head.chunk("id: 5\ndata: 5\n\nevent: done\ndata: x\n\n").finish
      end
    end
    follow("/stream")
    wait_state("done")

    assert_equal %w[1 4 5], seen("texts")
    assert_equal [nil, "1", "1", "1", "4"], @site.requests("/stream").map { |request| request.headers["last-event-id"] }
    assert_equal 2, @page.streams.size
  end

  def test_the_time_that_an_event_source_was_given_is_kept_when_the_stream_is_fetched
    moments = []
    @site.on("/stream") do |exchange|
      moments << Upstream.now
      next exchange.answer("busy", status: 503) if moments.size == 2

      exchange.head.chunk("retry: 1500\nid: #{moments.size}\ndata: a\n\n#{"event: done\ndata: x\n\n" if moments.size == 3}").finish
    end
    open_page
    @page.execute("Math.random = () => 0")
    follow("/stream")
    wait_state("done")

    assert_operator moments[2] - moments[1], :>, 2.9 # twice 1.5 s, not twice the second of who knows no better
  end

  { "heartbeats" => "event: heartbeat\ndata: {}\n\n", "ids" => "id: 1\ndata: a\n\n" }.each do |what, first|
    define_method("test_a_silent_event_source_that_had_#{what}_is_replaced_when_the_page_wakes") do
      @site.on("/stream") { |exchange| exchange.head.chunk("#{first}data: ready\n\n").stall }
      follow("/stream")
      @page.wait("the first events") { seen("texts").last == "ready" }
      sleep_and_wake
      @page.wait("the second request") { @site.requests("/stream").size == 2 }

      assert @site.requests("/stream").first.wait_gone
    end
  end

  def test_a_silent_event_source_without_either_is_left_alone
    gate = Thread::Queue.new
    @site.on("/stream") do |exchange|
      exchange.head.chunk("data: a\n\n")
      gate.pop
      exchange.chunk("data: b\n\n").stall
    end
    follow("/stream")
    @page.wait("the first event") { seen("texts") == ["a"] }
    sleep_and_wake
    gate << true
    @page.wait("the second event") { seen("texts") == %w[a b] }

    assert_equal 1, @site.requests("/stream").size
  end

  # Row 53 of the failure table.
  def test_a_sixth_stream_over_http_1_is_warned_of_and_more_go_through_http_2
    @site.on("/stream") { |exchange| exchange.head.chunk("data: here\n\n").stall }
    open_page
    5.times { |index| follow("/stream", name: "s#{index}") }
    @page.wait("five streams") { (0...5).all? { |index| @page.evaluate("s#{index}.texts.length") == 1 } }

    assert_empty @page.errors
    follow("/stream", name: "s5")
    @page.wait("the warning") { @page.errors.any? }

    assert_match(%r{streamer: 6 streams are open over HTTP/1.1}, @page.errors.first)
    over_http2
  end

  # Row 63 of the failure table.
  def test_streams_of_another_origin_have_cors_cookies_if_asked_for_and_no_token
    other = ModuleSite.new
    allow = { "access-control-allow-origin" => @site.url("").chomp("/"), "access-control-allow-credentials" => "true",
              "access-control-allow-headers" => "content-type", "access-control-allow-methods" => "POST" }
    other.on("/stream") do |exchange|
      next exchange.answer(status: 204, headers: allow) if exchange.request.method == "OPTIONS"

      exchange.head(headers: allow).chunk("data: a\n\nevent: done\ndata: x\n\n").finish
    end
    other.on("/cookie") { |exchange| exchange.answer("", headers: { "set-cookie" => "who=me" }) }
    open_page
    @page.execute("document.head.insertAdjacentHTML('beforeend', '<meta name=csrf-token content=secret>')")
    @page.execute("fetch(#{other.url("/cookie").to_json}, { mode: 'no-cors', credentials: 'include' }).then(() => (window.cookie = true))")
    @page.wait("the cookie") { @page.evaluate("window.cookie === true") }
    [{}, { credentials: "include" }, { method: "POST", body: "{}", headers: { "content-type" => "application/json" } }].each do |options|
      follow(other.url("/stream"), **options)
      wait_state("done")
    end
    requests = other.requests("/stream")

    assert_equal %w[GET GET OPTIONS POST], requests.map(&:method)
    assert_equal [nil, "who=me", nil, nil], requests.map { |request| request.headers["cookie"] }
    assert_equal [@site.url("").chomp("/")], requests.map { |request| request.headers["origin"] }.uniq
    assert_equal [nil], requests.map { |request| request.headers["x-csrf-token"] }.uniq
  ensure
    other&.stop
  end

  # Row 63 of the failure table.
  def test_rails_answers_a_post_with_the_pages_token_and_refuses_one_without
    server = ForgeryServer.new(:puma)
    @page = Browser.open("http://127.0.0.1:#{server.port}/answers/new")
    @page.wait("the module") { @page.evaluate("typeof window.streamer") == "object" }
    @page.execute(SCRIPT.sub(/^import.*/, "const { EventStream } = streamer"))
    post = { method: "POST", body: '{"question":"Why?"}', headers: { "content-type" => "application/json" } }
    follow("/answers", **post)
    wait_state("done")

    assert_equal ["You asked: Why?"], seen("texts")
    @page.execute("document.querySelector('meta[name=csrf-token]').remove()")
    follow("/answers", **post)
    wait_state("failed")

    assert_equal [422], seen("errors").map { |error| error["status"] }
  ensure
    server&.stop
  end

  private

  def open_page(url = @site.url("/page"))
    @page ||= Browser.open(url)
    @page.wait("the module") { @page.evaluate("typeof window.follow") == "function" }
  end

  def follow(url, name: "stream", **options)
    open_page
    @page.execute("follow(#{name.to_json}, #{url.to_json}, #{JSON.generate(options)})")
  end

  def over_http2
    @page.close
    @page = nil
    proxy = Proxy.http2(URI(@site.url("")).port)
    open_page("https://127.0.0.1:#{proxy.port}/page")
    8.times { |index| follow("/stream", name: "s#{index}") }
    @page.wait("eight streams") { (0...8).all? { |index| @page.evaluate("s#{index}.texts.length") == 1 } }

    assert_empty @page.errors
  ensure
    proxy&.stop
  end

  # A lid that was closed for 40 s.
  def sleep_and_wake
    @page.execute("const { now } = Date; Date.now = () => now() + 40_000; dispatchEvent(new Event('online')); Date.now = now")
  end

  # Whatever could make a stream try again.
  def wake
    @page.execute("for (const type of ['online', 'pageshow']) dispatchEvent(new Event(type)); document.dispatchEvent(new Event('visibilitychange'))")
  end

  def wait_state(state) = @page.wait("#{state}: #{seen("names")}, #{seen("errors")}") { @page.evaluate("stream.stream.state") == state }
  def seen(what) = JSON.parse(@page.evaluate("JSON.stringify(stream.#{what})"))
end
