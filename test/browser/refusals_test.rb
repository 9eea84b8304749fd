# frozen_string_literal: true

require "test_helper"
require "support/app_server"
require "support/browser"

# What stops an EventSource for good, in Chromium.
class RefusalsTest < Minitest::Test
  def server = AppServer.shared(:puma)

  def test_401_403_404_and_204_stop_an_event_source_at_the_first_answer # row 28
    page = Browser.open("http://127.0.0.1:#{server.port}/up")
    paths = %w[unauthorized unauthenticated forbidden missing rescued finished].map { |action| "/formats/#{action}" }

    assert_equal [nil], page.read(paths.map { |path| [path, []] }).uniq # closed, and not about to connect again
    assert_equal paths.sort, page.streams.map(&:path).sort
  ensure
    page&.close
  end

  def test_a_script_that_accepts_only_event_streams_reads_why_it_is_refused # row 94
    page = Browser.open("http://127.0.0.1:#{server.port}/up")
    page.execute(<<~JS)
      const read = async (path) => {
        const response = await fetch(path, { headers: { accept: "text/event-stream" } })
        return [response.status, await response.text()]
      }
      Promise.all(["/formats/missing", "/formats/unauthenticated", "/formats/page_only"].map(read)).then((answers) => { window.answers = answers })
    JS
    answers = page.wait("the answers") { page.evaluate("window.answers") }

    assert_equal [[404, '{"status":404,"error":"Not Found"}'], [401, "sign in first, user"],
                  [406, '{"status":406,"error":"Not Acceptable"}']], answers
  ensure
    page&.close
  end
end
