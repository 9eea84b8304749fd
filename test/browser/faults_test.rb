# frozen_string_literal: true

require "test_helper"
require "json"
require "support/browser"
require "support/module_site"

# Numbered streams whose connections fail, one after the other, in a random way each; the page's text is exact in the end, and each id
# was applied once. Half of the streams begin as an EventSource, half are fetched from the start.
class BrowserFaultsTest < Minitest::Test
  STREAMS = 50
  FAULTS = 4 # of each
  LANES = 5 # at the same time
  KINDS = %i[cut cut cut doubled replayed delayed busy asleep].freeze
  TOKENS = ["Hello", ", ", "wörld", " … ", "\u{1F600}", "two\nlines", " ", "end", "."].freeze
  SPEED = 20 # the page's time against ours

  SCRIPT = <<~JS
    #{ModuleSite::APPLICATION}
    const real = window.setTimeout
    window.setTimeout = (run, delay, ...rest) => real(run, delay / #{SPEED}, ...rest)
    window.applied = {}
    window.resets = 0
    addEventListener("streamer:reset", () => (resets += 1))
    addEventListener("streamer:message", ({ target, detail }) => (applied[target.id] ??= []).push(detail.id))
    // A lid that was closed for 40 s.
    window.wake = () => {
      const { now } = Date
      Date.now = () => now() + 40_000
      dispatchEvent(new Event("online"))
      Date.now = now
    }
    window.lanes = (names, lanes) => {
      const queue = [...names]
      const next = () => {
        if (!queue.length) return
        const name = queue.shift()
        const element = document.createElement("div")
        const cursor = Number(name.slice(1)) % 2 ? "" : "data-streamer-cursor-value='1-0'"
        element.innerHTML = `<div id="${name}" data-controller="streamer" data-streamer-src-value="/${name}" ${cursor}
          data-streamer-path-value="t"><p data-streamer-target="text"></p></div>`
        for (const type of ["done", "error"]) {
          element.addEventListener(`streamer:${type}`, ({ detail }) => (type === "done" || detail.fatal) && next())
        }
        document.body.append(element)
      }
      for (let lane = 0; lane < lanes; lane++) next()
    }
  JS

  # What the server does with the connections of one stream.
  class Trouble
    attr_reader :faults, :begun

    def initialize(random, asleep)
      @random = random
      @asleep = asleep
      @faults = Array.new(FAULTS) { KINDS.sample(random: random) }
      @begun = []
      @status = random.rand(2).zero? # whether a 204 ends it, not an event
    end

    def answer(exchange)
      seen = exchange.request.headers["last-event-id"].to_s[/\A1-(\d+)\z/, 1].to_i
      fault = @faults[@begun.size]
      return finish(exchange, seen) unless fault

      @begun << fault
      send(fault, exchange, seen)
    end

    private

    def frames(seen) = (seen...TOKENS.size).map { |index| "id: 1-#{index + 1}\ndata: #{JSON.generate(t: TOKENS[index])}\n\n" }

    def finish(exchange, seen)
      return exchange.answer(status: 204) if @status && seen == TOKENS.size

      exchange.head.chunk(frames(seen).join)
      exchange.chunk("event: done\ndata: {}\n\n") unless @status
      exchange.finish
    end

    def cut(exchange, seen) = write(exchange, frames(seen))
    def doubled(exchange, seen) = write(exchange, frames(seen).flat_map { |frame| [frame, frame] })
    def replayed(exchange, _seen) = write(exchange, frames(0))

    def delayed(exchange, seen)
      exchange.head.chunk("retry: 1\n\n")
      some(frames(seen).join).scan(/.{1,#{@random.rand(3..30)}}/mn) { |piece| exchange.chunk(piece).pause(0.005) }
      exchange.close
    end

    def busy(exchange, _seen) = exchange.answer("busy", status: 503, headers: { "retry-after" => "0" })

    def asleep(exchange, seen)
      @asleep << true
      exchange.head.chunk("event: heartbeat\ndata: {}\n\n#{some(frames(seen).join)}").stall
    ensure
      @asleep.pop
    end

    # Up to any byte; half of the time the end is a proper one.
    def write(exchange, frames)
      exchange.head.chunk("retry: 1\n\n#{some(frames.join)}")
      @random.rand(2).zero? ? exchange.finish : exchange.close
    end

    def some(bytes) = bytes.b[0, @random.rand(0..bytes.bytesize)]
  end

  def setup
    @asleep = Thread::Queue.new
    @site = ModuleSite.new
    @troubles = Array.new(STREAMS) { |index| Trouble.new(Random.new(Minitest.seed + index), @asleep) }
    @troubles.each_with_index { |trouble, index| @site.on("/s#{index}") { |exchange| trouble.answer(exchange) } }
    @site.page("/page", "", script: SCRIPT)
    @page = Browser.open(@site.url("/page"))
  end

  def teardown
    @page.close
    @site.stop
  end

  def test_after_200_random_faults_the_text_in_the_page_is_exact_and_each_id_was_applied_once
    @page.wait("the script") { @page.evaluate("typeof window.lanes") == "function" }
    @page.execute("lanes(arguments[0], arguments[1])", Array.new(STREAMS) { |index| "s#{index}" }, LANES)
    @page.wait("the ends of #{STREAMS} streams", timeout: 120) { ended? }

    assert_equal STREAMS * FAULTS, @troubles.sum { |trouble| trouble.begun.size }
    assert_equal KINDS.uniq.sort, @troubles.flat_map(&:begun).uniq.sort
    ids = (1..TOKENS.size).map { |number| "1-#{number}" }
    @troubles.each_with_index do |trouble, index|
      assert_equal TOKENS.join, @page.evaluate("document.querySelector('#s#{index} p').textContent"), trouble.faults.inspect
      assert_equal ids, @page.evaluate("applied.s#{index}"), trouble.faults.inspect
    end
    assert_equal 0, @page.evaluate("resets")
    assert_equal STREAMS, @page.evaluate("document.querySelectorAll('[data-streamer-state-value=done]').length")
  end

  private

  def ended?
    if @asleep.size.positive? && Upstream.now > @awake.to_f + 0.3
      @awake = Upstream.now
      @page.execute("wake()")
    end
    @page.evaluate("document.querySelectorAll('[data-streamer-state-value=done], [data-streamer-state-value=failed]').length") == STREAMS
  end
end
