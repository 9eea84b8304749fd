# frozen_string_literal: true

require "test_helper"
require "support/rails_app"

class SourceHelperTest < Minitest::Test
  def view = @view ||= ActionController::Base.new.tap { |made| made.set_request!(ActionDispatch::TestRequest.create) }.view_context

  def test_the_source_names_the_controller_and_its_values
    html = view.streamer_source("/answers/1", event: "token", path: "content", method: :post, params: { model: "a" }, done: "end",
                                              last_event_id: 7, id: "answer") { "text" }

    assert_equal '<div id="answer" data-controller="streamer" data-streamer-src-value="/answers/1" data-streamer-method-value="post" ' \
                 'data-streamer-params-value="{&quot;model&quot;:&quot;a&quot;}" data-streamer-event-value="token" ' \
                 'data-streamer-path-value="content" data-streamer-done-value="end" data-streamer-cursor-value="7">text</div>', html
  end

  def test_values_that_are_not_given_are_the_controllers_own
    assert_equal '<div data-controller="streamer" data-streamer-src-value="/answers/1"></div>', view.streamer_source("/answers/1")
  end

  def test_other_controllers_and_data_stay
    html = view.streamer_source("/answers/1", data: { "controller" => "copy", copy_text_value: "x" })

    assert_includes html, 'data-controller="streamer copy"'
    assert_includes html, 'data-copy-text-value="x"'
  end

  def test_turbos_source_needs_the_id_that_ends_it
    assert_equal '<turbo-stream-source id="import" src="/imports/1"></turbo-stream-source>',
                 view.streamer_turbo_source("/imports/1", id: "import")
    assert_match(/id/, assert_raises(ArgumentError) { view.streamer_turbo_source("/imports/1") }.message)
  end

  def test_a_position_is_added_to_a_url_that_has_parameters_and_a_fragment
    html = view.streamer_turbo_source("https://example.com/imports/1?a=1&b=2#end", id: "import", last_event_id: "x&y")

    assert_match(%r{src="https://example\.com/imports/1\?a=1&amp;b=2&amp;last_event_id=[\w%.-]+#end"}, html)
  end

  def test_text_from_outside_stays_in_its_attribute
    nasty = '"><script>alert(1)</script>'
    [view.streamer_source(nasty, event: nasty, last_event_id: nasty), view.streamer_turbo_source(nasty, id: nasty)].each do |html|
      refute_includes html, "<script>"
    end
  end
end
