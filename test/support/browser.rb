# frozen_string_literal: true

require "ferrum"
require "json"

# Headless Chromium, one per test run, and what its pages see of event streams. It resolves no name: whatever it asks is on
# loopback.
#
#   page = Browser.open(url)                                # a tab with cookies, cache and connections of its own
#   page.read([["/events", %w[step done]]])                 # [[Received(type, data, id), ...]], as its JavaScript gets them
#   page.streams.last.events                                # the same as the browser's network stack saw them, with their moments
#   page.wait("the answer") { page.text("#state") == "Finished" }
#   page.errors                                             # what the console complains of
#   page.close
#
# Whatever waits gives up with Browser::Late.
module Browser
  Late = Class.new(StandardError)
  Received = Struct.new(:type, :data, :id)

  SECONDS = 60 # for the browser to start, and for any command to be answered

  def self.open(url) = Page.new(chromium, url)

  def self.chromium
    @chromium ||= Ferrum::Browser.new(
      timeout: SECONDS, process_timeout: SECONDS, window_size: [1280, 1000],
      browser_options: {
        "host-resolver-rules" => "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        **(Process.uid.zero? ? { "no-sandbox" => nil } : {}) # root has no other choice
      }
    ).tap { |chromium| Minitest.after_run { chromium.quit } }
  end
  private_class_method :chromium

  # One request of an EventSource. `events` are Messages, `at` in seconds of the browser's clock. `outcome` is nil while the
  # response lasts, then "finished" or the browser's word for what happened instead ("net::ERR_ABORTED" where the page
  # closed it).
  Stream = Struct.new(:url, :headers, :events, :outcome) do
    def path = url[%r{//[^/]+([^?]*)}, 1]
    def values = events.map { |event| Received.new(event.type, event.data, event.id) }
  end
  Message = Struct.new(:type, :data, :id, :at)

  class Page
    # What a page may ask at the same time of one HTTP/1.1 server.
    CONNECTIONS = 6

    # Reads each source to the end of its response, a few at a time. An error with data is an event of the server; without, it
    # is the browser's: the response has ended, or was no event stream.
    READ = <<~JS
      const [sources, connections] = arguments
      const results = []
      window.received = null
      const read = ([url, types]) => new Promise((resolve) => {
        const source = new EventSource(url)
        const events = []
        for (const type of new Set(["message", "error", ...types])) {
          source.addEventListener(type, (event) => {
            if (event instanceof MessageEvent) return events.push([event.type, event.data, event.lastEventId])
            if (type !== "error") return
            resolve(source.readyState === EventSource.CLOSED ? null : events)
            source.close()
          })
        }
      })
      let next = 0
      const reader = async () => {
        while (next < sources.length) {
          const index = next++
          results[index] = await read(sources[index])
        }
      }
      Promise.all(Array.from({ length: connections }, reader)).then(() => {
        window.received = JSON.stringify(results)
      })
    JS
    private_constant :READ

    attr_reader :streams, :errors

    def initialize(chromium, url)
      @streams = []
      @errors = []
      @by_id = {}
      @context = chromium.contexts.create
      @tab = @context.create_page
      watch_network
      watch_console
      @tab.command("Security.setIgnoreCertificateErrors", ignore: true) if url.start_with?("https:")
      @tab.go_to(url)
    end

    def close = @context.dispose

    # `sources`: pairs of a URL and the types to listen for besides "message" and "error". For each an Array of Received,
    # or nil where the browser refused the response as no event stream. Afterwards `streams` is complete.
    def read(sources, timeout: SECONDS)
      known = streams.size
      execute(READ, sources, CONNECTIONS)
      results = wait("the end of #{sources.size} streams", timeout: timeout) { evaluate("window.received") }
      wait("the network's account of #{sources.size} streams") do
        streams.size >= known + sources.size && streams.all?(&:outcome)
      end
      JSON.parse(results).map { |events| events&.map { |fields| Received.new(*fields) } }
    end

    def evaluate(...) = @tab.evaluate(...)
    def execute(...) = @tab.execute(...)
    def go(path) = @tab.go_to(URI.join(@tab.current_url, path).to_s)
    def back = @tab.back
    def press(key) = @tab.keyboard.type(key)

    # width: pixels. scheme: "light" or "dark".
    def look(width: 1280, scheme: "light")
      @tab.command("Emulation.setDeviceMetricsOverride", width: width, height: 640, deviceScaleFactor: 2, mobile: width < 600)
      @tab.command("Emulation.setEmulatedMedia", features: [{ name: "prefers-color-scheme", value: scheme }])
    end

    # In one step: a page that changes may have no such element by the next. nil where there is none.
    def text(selector) = evaluate("document.querySelector(#{selector.to_json})?.textContent")
    def click(selector) = @tab.at_css(selector).click

    def wait(what, timeout: SECONDS)
      deadline = now + timeout
      until (value = yield)
        raise Late, "#{what}: not in #{timeout} s" if now > deadline

        sleep 0.02
      end
      value
    end

    private

    def watch_network
      @tab.on("Network.requestWillBeSent") do |details|
        next unless details["type"] == "EventSource"

        request = details["request"]
        @streams << (@by_id[details["requestId"]] = Stream.new(request["url"], request["headers"], []))
      end
      @tab.on("Network.eventSourceMessageReceived") do |details|
        @by_id.fetch(details["requestId"]).events << Message.new(*details.values_at("eventName", "data", "eventId", "timestamp"))
      end
      @tab.on("Network.loadingFinished") { |details| ended(details, "finished") }
      @tab.on("Network.loadingFailed") { |details| ended(details, details["errorText"]) }
    end

    def ended(details, outcome)
      stream = @by_id[details["requestId"]]
      stream.outcome = outcome if stream
    end

    def watch_console
      @tab.on("Runtime.consoleAPICalled") do |details|
        @errors << details["args"].map { |argument| argument["value"] || argument["description"] }.join(" ") if
          %w[error warning assert].include?(details["type"])
      end
      @tab.on("Runtime.exceptionThrown") { |details| @errors << details.dig("exceptionDetails", "exception", "description") }
      @tab.on("Log.entryAdded") do |details|
        entry = details["entry"]
        @errors << "#{entry["text"]} #{entry["url"]}" if %w[error warning].include?(entry["level"])
      end
      @tab.command("Log.enable")
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
