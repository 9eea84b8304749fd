# frozen_string_literal: true

require "test_helper"
require "json"
require "net/http"
require "support/app_server"
require "support/browser"

# Generations that are broadcast, in pages in Chromium: by Turbo Streams over Action Cable, by the channel, and by event streams.
class BroadcastsPageTest < Minitest::Test
  APP = File.expand_path("../support/broadcasts_app.ru", __dir__)
  WAYS = %w[turbo cable source events].freeze

  def self.server(cable)
    @servers ||= {}
    @servers[cable] ||= AppServer.new(:puma, app: APP, threads: "16:16", variables: { "CABLE" => cable }).tap do |server|
      Minitest.after_run { server.stop }
    end
  end

  def setup
    @pages = []
    @cable = "async"
  end

  def teardown
    @pages.each(&:close)
  end

  WAYS.each do |way|
    define_method(:"test_row_49_what_is_written_between_the_page_and_its_subscription_is_shown_#{way}") do
      [0, 1, 50].each do |count|
        id = create
        write(id, text: "before ")
        page = visit(way, id, wait: 1)
        count.times { |number| write(id, text: "#{number} ") }
        page.execute("start()")
        wait_for(page, id, "before #{Array.new(count) { |number| "#{number} " }.join}")
        write(id, text: "after", close: "completed")

        wait_for(page, id, "before #{Array.new(count) { |number| "#{number} " }.join}after")
        page.close
        @pages.delete(page)
      end
    end

    define_method(:"test_an_attempt_that_begins_anew_takes_the_place_of_what_there_is_and_one_that_continues_does_not_#{way}") do
      id = create
      page = visit(way, id)
      write(id, text: "void ")
      wait_for(page, id, "void")
      write(id, attempt: "reset", text: "new ")
      wait_for(page, id, "new")
      write(id, attempt: "continue", text: "and more")
      wait_for(page, id, "new and more")
    end
  end

  def test_text_is_text_and_no_markup
    texts = WAYS.map do |way|
      id = create
      page = visit(way, id)
      write(id, text: "<b onclick=x>&amp; </b>\n")
      write(id, text: "end")
      wait_for(page, id, "<b onclick=x>&amp; </b>\nend")
      page.evaluate("document.querySelectorAll('.answer b').length")
    end

    assert_equal [0] * 4, texts
  end

  def test_the_final_state_is_rendered_in_the_place_of_the_text
    { "turbo" => "completed", "cable" => "failed", "source" => "cancelled" }.each do |way, state|
      id = create
      page = visit(way, id, for: 1)
      write(id, text: "all of it")
      wait_for(page, id, "all of it")
      write(id, close: state)
      page.wait("the final state") { page.evaluate("document.querySelector('.answer [data-status]')?.dataset.status") == state }

      assert_equal "all of it", text(page, id)
      assert_equal 0, page.evaluate("document.querySelectorAll('turbo-stream-source, streamer-text, streamer-cable-text').length")
    end
  end

  def test_a_name_that_was_not_signed_for_this_is_rejected
    page = visit("cable", create)
    other = page.evaluate("document.querySelector('[signed-stream-name]').getAttribute('signed-stream-name')").sub(/.--/, "x--")
    [other, "", nil].each do |name|
      page.execute(<<~JS, name)
        const [signed_stream_name] = arguments
        window.told = null
        import("@rails/actioncable").then(({ createConsumer }) => createConsumer().subscriptions.create(
          { channel: "Streamer::GenerationChannel", signed_stream_name }, { rejected: () => (told = "rejected"), connected: () => (told = "connected") },
        ))
      JS
      page.wait("an answer") { page.evaluate("told") }

      assert_equal "rejected", page.evaluate("told"), name.inspect
    end
  end

  def test_a_final_state_that_nobody_has_broadcast_is_found_by_the_page
    %w[turbo cable].each do |way|
      id = create
      page = visit(way, id, for: 1)
      write(id, text: "all of it")
      write(id, close: "completed", dies: 1)

      page.wait("the final state") { page.evaluate("document.querySelector('.answer [data-status]')?.dataset.status") == "completed" }
    end
  end

  def test_turbos_own_element_goes_on_behind_its_last_event_id_and_does_not_come_back_at_the_end
    id = create
    write(id, text: "one ")
    write(id, text: "two")
    write(id, close: "completed")
    body = follow(id, "1-1").body

    assert_includes body, "id: 1-3\ndata: <turbo-stream data-streamer-after=\"1-1\" data-streamer-through=\"1-2\" action=\"append\" " \
                          "target=\"text_answer_#{id}\"><template>two</template></turbo-stream>" \
                          "<turbo-stream action=\"update\" target=\"answer_#{id}\"><template><p data-status=\"completed\">one two</p>"
    assert_includes body, "<turbo-stream action=\"remove\" target=\"source_answer_#{id}\"></turbo-stream>"
    assert_equal "204", follow(id, "1-3").code
  end

  def test_a_text_that_is_rendered_is_replaced
    id = create(rendered: 1)
    page = visit("turbo", id, rendered: 1, wait: 1)
    write(id, rendered: 1, text: "one two")
    page.execute("start()")
    page.wait("the text") { page.text(".answer i") == "one two" }
    write(id, rendered: 1, text: " three")
    page.wait("the text") { page.text(".answer i") == "one two three" }

    assert_equal "3", page.text(".answer b")
  end

  def test_row_93_an_element_that_is_made_anew_goes_on_where_the_text_ends
    %w[turbo cable].each do |way|
      id = create
      page = visit(way, id)
      write(id, text: "one ")
      wait_for(page, id, "one")
      page.execute("const element = document.querySelector('#text_answer_#{id}'); window.kept = element; element.remove()")
      write(id, text: "two ")
      page.execute("document.querySelector('#answer_#{id}').append(kept.cloneNode(true))")
      write(id, text: "three")

      wait_for(page, id, "one two three")
    end
  end

  def test_row_50_eight_workers_and_three_channels_are_monotonic_in_the_page
    ids = Array.new(8) { create }
    pages = { visit("turbo", *ids) => ids, visit("cable", *ids) => ids, **ids.each_slice(4).to_h { |some| [visit("events", *some), some] } }
    work(ids, 150)
    pages.each { |page, shown| shown.each { |id| wait_for(page, id, words(id, 150)) } }
    pages.each { |page, shown| assert_monotonic page, shown.size }
  end

  def test_a_cable_that_drops_doubles_and_reorders_a_tenth_shows_the_exact_text
    @cable = "unsteady"
    ids = Array.new(6) { create }
    pages = [visit("turbo", *ids), visit("cable", *ids)]
    work(ids, 400)
    pages.product(ids).each { |page, id| wait_for(page, id, words(id, 400)) }
    counts = JSON.parse(get("/counts").body)

    pages.each { |page| assert_monotonic page, ids.size }
    total = counts.values.sum
    assert_operator total, :>, 200
    %w[lost doubled late].each { |what| assert_in_delta 0.1, counts[what].fdiv(total), 0.06, counts.inspect }
  end

  private

  def server = self.class.server(@cable)

  def visit(way, *ids, **parameters)
    query = URI.encode_www_form(ids: ids.join(","), **parameters)
    Browser.open("http://127.0.0.1:#{server.port}/pages/#{way}?#{query}").tap do |page|
      @pages << page
      page.wait("the script") { page.evaluate("window.ready === true") }
    end
  end

  def create(**parameters) = JSON.parse(post("/answers", **parameters).body).fetch("id")

  def write(id, **parameters) = post("/answers/#{id}/write", **parameters)

  # By a job each: so many words, one in 10 ms.
  def work(ids, count) = ids.each { |id| post("/answers/#{id}/work", count: count, pace: 10) }

  def post(path, **parameters)
    Net::HTTP.post_form(URI("http://127.0.0.1:#{server.port}#{path}"), parameters).tap { |response| assert_kind_of Net::HTTPSuccess, response, server.log }
  end

  def get(path) = Net::HTTP.get_response(URI("http://127.0.0.1:#{server.port}#{path}"))

  # As <turbo-stream-source> does when it comes back.
  def follow(id, position)
    server.get("/answers/#{id}/events.turbo_stream", "accept" => "text/event-stream", "last-event-id" => position)
  end

  def words(id, count) = Array.new(count) { |number| "#{id}:#{number} " }.join

  def text(page, id) = page.text("#answer_#{id}").strip

  def wait_for(page, id, expected)
    page.wait("the text") { text(page, id) == expected.strip }
  rescue Browser::Late
    assert_equal expected.strip, text(page, id), "#{page.errors}\n#{server.log}"
  end

  def assert_monotonic(page, count)
    seen = page.evaluate("window.seen")

    assert_equal count, seen.size
    assert_operator seen.values.map(&:size).min, :>, 2, "seen while it grew"
    seen.each { |id, lengths| assert_equal lengths.sort, lengths, id }
  end
end
