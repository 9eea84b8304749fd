# frozen_string_literal: true

require "test_helper"
require "open3"
require "rbconfig"
require "streamer/testing"

class AssertionsTest < Minitest::Test
  include Streamer::Testing::Assertions

  BODY = <<~STREAM
    : hello

    event: token
    data: {"content":"Hel"}

    event: token
    data: {"content":"lo","n":2}

    event: done
    data: bye

  STREAM
  TOKENS = [{ token: { content: "Hel" } }, { token: { content: "lo", n: 2 } }].freeze
  Response = Struct.new(:body)

  def test_exactly_these_events_in_this_order
    assert_events BODY, *TOKENS, { done: "bye" }
    [TOKENS, [*TOKENS, :done, :more], [TOKENS[1], TOKENS[0], :done], [*TOKENS, { done: "by" }], [*TOKENS, { gone: "bye" }]].each do |wrong|
      assert_fails { assert_events(BODY, *wrong) }
    end
  end

  def test_data_by_its_type_alone_or_by_what_matches
    assert_events BODY, :token, { token: { "content" => /\Al/, n: 1..3 } }, { done: /bye/ }
    assert_events "data: [1,{\"a\":null}]\n\n", { message: [Integer, { a: nil }] }
    assert_fails { assert_events(BODY, :token, { token: { content: String } }, :done) } # n is there, too
    assert_fails { assert_events("data: no json\n\n", { message: { a: 1 } }) }
  end

  def test_one_among_others
    assert_event BODY, { token: { content: "Hel" } }
    refute_event BODY, :error
    assert_fails { assert_event(BODY, :error) }
    assert_fails { refute_event(BODY, { done: "bye" }) }
  end

  def test_a_response_is_whatever_has_a_body_or_is_one
    [BODY, Response.new(BODY), Response.new([BODY[0, 30], BODY[30..]]), BODY.each_char].each do |response|
      assert_equal %w[token token done], streamed_events(response).map(&:type)
    end
  end

  def test_text
    assert_equal "Hello", streamed_text(BODY, :content, event: :token)
    assert_equal "bye", streamed_text(BODY, event: "done")
    assert_equal "", streamed_text(BODY)
  end

  def test_a_failure_shows_what_was_wanted_and_what_there_was
    message = assert_fails { assert_events(BODY, { token: { content: "Hel", n: Integer } }) }

    assert_includes message, %(these events:\n  token {"content":"Hel","n":Integer}\n)
    assert_includes message, %(there were:\n  token {"content":"Hel"}\n)
    assert_includes assert_fails { assert_events(Response.new("<h1>Not found</h1>"), :token) }, "<h1>Not found</h1>"
  end

  def test_a_description_that_is_none_is_refused
    assert_raises(ArgumentError) { assert_events(BODY, { token: 1, done: 2 }) }
  end

  def test_the_matcher_for_rspec
    matcher = have_streamed(*TOKENS, :done)

    assert matcher.matches?(Response.new(BODY))
    refute have_streamed(:done).matches?(BODY)
    assert_includes matcher.description, "token"
  end

  # Neither framework in the process; and RSpec's way to fail.
  def test_without_minitest
    output, status = Open3.capture2e(RbConfig.ruby, "-I", File.expand_path("../../lib", __dir__), "-rstreamer/testing", "-e", <<~RUBY)
      include Streamer::Testing::Assertions
      assert_events("data: a\\n\\n", { message: "a" })
      begin
        assert_events("data: a\\n\\n", :done)
      rescue Streamer::Testing::Failure => error
        puts error.message.lines.last
      end
      module RSpec
        module Expectations
          def self.fail_with(message) = puts("failed as RSpec does")
        end
      end
      assert_events("data: a\\n\\n", :done)
      abort "minitest is loaded" if defined?(Minitest)
    RUBY
    assert_predicate status, :success?, output
    assert_equal "  message a\nfailed as RSpec does\n", output
  end

  private

  # The message of the failure that the block must be.
  def assert_fails(&block) = assert_raises(Minitest::Assertion, &block).message
end
