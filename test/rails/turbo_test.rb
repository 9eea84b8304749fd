# frozen_string_literal: true

require "test_helper"
require "support/app_server"

# Turbo Stream actions as events, over HTTP.
module TurboTests
  APP = File.expand_path("../support/turbo_app.ru", __dir__)

  # What Turbo sends with a form, and an EventSource.
  TURBO = "text/vnd.turbo-stream.html, text/html, application/xhtml+xml"
  STREAM = "text/event-stream"

  def server
    self.class.server ||= AppServer.new(self.class::KIND, app: APP).tap { |started| Minitest.after_run { started.stop } }
  end

  def test_an_action_is_one_unnamed_event
    events = server.stream("/streams/actions").events

    assert_equal 11, events.size
    assert_equal ["message"], events.map(&:type).uniq
    assert_equal ["turbo-stream"], events.map { |event| event.data[/\A<([\w-]+)/, 1] }.uniq
  end

  def test_a_partial_is_rendered_escaped_and_adds_no_event
    event = server.stream("/streams/actions").next_event

    assert_equal '<turbo-stream action="append" target="messages"><template><li id="message_1">&lt;i&gt;one&lt;/i&gt;' \
                 "\n\nevent: x</li>\n</template></turbo-stream>", event.data
  end

  def test_an_applications_own_action_is_written_too
    assert_includes server.stream("/streams/actions").events.map(&:data),
                    '<turbo-stream action="highlight" target="block"><template></template></turbo-stream>'
  end

  def test_an_event_stream_stands_beside_html_and_turbo_streams
    { TURBO => "text/vnd.turbo-stream.html", "text/html" => "text/html", STREAM => STREAM, "#{STREAM}, */*" => STREAM }.each do |accept, type|
      answer = server.stream("/streams/formats", headers: { "accept" => accept })

      assert_equal type, answer.headers["content-type"][/[^;]+/], accept
      assert_match(/^vary:(?:.*,)? ?accept *(?:,.*)?\r$/i, answer.head, accept)
      answer.leave
    end
  end

  def test_the_source_has_a_signed_position_and_only_its_own_stream_takes_it
    url = CGI.unescapeHTML(server.get("/pages/one?shown=2&count=4").body[/<turbo-stream-source id="source" src="([^"]+)">/, 1])

    assert_equal %w[3 4], server.stream(url).events.filter_map(&:id)
    assert_equal 400, server.stream(url.sub("/streams/one", "/streams/two")).status
    assert_equal 400, server.stream(url.sub(/last_event_id=\w/, "last_event_id=X")).status
  end

  def test_such_events_have_no_name
    assert_equal %w[error], server.stream("/streams/wrong").events.map(&:type)
  end

  def test_an_action_that_turbo_does_not_know_ends_the_stream_with_an_error
    assert_equal %w[error], server.stream("/streams/unknown").events.map(&:type)
  end
end

class PumaTurboTest < Minitest::Test
  KIND = :puma
  class << self
    attr_accessor :server
  end
  include TurboTests
end

class FalconTurboTest < Minitest::Test
  KIND = :falcon
  class << self
    attr_accessor :server
  end
  include TurboTests
end
