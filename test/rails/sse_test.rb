# frozen_string_literal: true

require "test_helper"
require "support/rails_app"

# Streamer::SSE beside ActionController::Live::SSE. On real servers: test/servers/live_test.rb.
class SSETest < Minitest::Test
  # What `write` was given.
  class Stream
    attr_reader :writes

    def initialize = @writes = []
    def write(text) = @writes << text
    def close = @closed = true
    def closed? = @closed
    def events = Streamer::Decoder.new.feed(writes.join)
  end

  def setup
    @stream = Stream.new
  end

  def test_a_browser_sees_what_it_would_see_from_rails
    defaults = { retry: 300, event: "step" }
    calls = [[{ name: "Jo" }], [{ name: "Jo" }, { id: 10 }], ["text"], [[1, nil], { event: :other, id: "x" }], [nil],
             ["two\nlines"], [{ html: "<b>&</b>" }, { "event" => "named" }], ["", { unknown: 1 }]]
    theirs = Stream.new
    calls.each do |call|
      Streamer::SSE.new(@stream, defaults).write(*call)
      ActionController::Live::SSE.new(theirs, defaults).write(*call)
    end

    assert_equal theirs.events, @stream.events
    assert_equal calls.size, @stream.events.size
  end

  def test_an_event_is_one_write
    Streamer::SSE.new(@stream, retry: 300).write({ a: 1 }, id: 1, event: "x")

    assert_equal 1, @stream.writes.size
  end

  def test_options_hold_until_an_event_says_otherwise
    sse = Streamer::SSE.new(@stream, event: "a")
    sse.write("1")
    sse.write("2", event: "b")
    sse.write("3")

    assert_equal %w[a b a], @stream.events.map(&:type)
  end

  def test_every_line_break_of_a_text_arrives
    Streamer::SSE.new(@stream).write("a\rb\r\nc\nd")

    assert_equal "a\nb\nc\nd", @stream.events.first.data
  end

  def test_nothing_can_add_a_field
    sse = Streamer::SSE.new(@stream)

    assert_raises(ArgumentError) { sse.write("x", event: "a\ndata: evil") }
    assert_raises(ArgumentError) { sse.write("x", id: "1\r\n\r\ndata: evil") }
    assert_raises(ArgumentError) { sse.write("x", retry: "1\ndata: evil") }
    assert_empty @stream.writes
  end

  def test_close_closes_the_stream
    Streamer::SSE.new(@stream).close

    assert_predicate @stream, :closed?
  end
end
