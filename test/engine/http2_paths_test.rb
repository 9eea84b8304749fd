# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "support/fault_server"
require "support/response_paths"

# Responses over HTTP/2, good and bad, through every path that they can take.
class HTTP2PathsTest < Minitest::Test
  include Contexts::Threads
  include ResponsePaths

  CUT = Streamer::ClosedError
  TYPE = { "content-type" => "text/event-stream" }.freeze
  OK = { ":status" => "200" }.freeze

  # name => [the error's class or nil, what the server does]
  CASES = {
    "whole" => [nil, ->(to, id) { to.respond(id, "a", "b") }],
    "end with the last event" => [nil, ->(to, id) { to.head(id).event(id, "a").data(id, "data: b\n\n", last: true) }],
    "a byte in each frame" => [nil, lambda { |to, id|
      to.head(id)
      "data: a\n\ndata: b\n\n".each_char { |byte| to.data(id, byte) }
      to.data(id, last: true)
    }],
    "padding, empty frames, an unknown frame" =>
      [nil, lambda { |to, id|
        to.head(id).frame(:data, 8, id, "\3data: a\n\n\0\0\0").data(id).frame(0xbe, 0, id, "x")
        to.event(id, "b").data(id, last: true)
      }],
    "103 before" => [nil, ->(to, id) { to.head(id, { ":status" => "103" }).respond(id, "a", "b") }],
    "trailers" => [nil, ->(to, id) { to.head(id).event(id, "a").event(id, "b").head(id, { "x" => "y" }, last: true) }],
    "a length" => [nil, lambda { |to, id|
      to.head(id, { **OK, **TYPE, "content-length" => "18" }).event(id, "a").data(id, "data: b\n\n", last: true)
    }],
    "a media type in capitals" => [nil, lambda { |to, id|
      to.head(id, { **OK, "content-type" => "TEXT/Event-Stream; charset=UTF-8" })
      to.event(id, "a").event(id, "b").data(id, last: true)
    }],
    "less than its length" => [CUT, lambda { |to, id|
      to.head(id, { **OK, **TYPE, "content-length" => "19" }).event(id, "a").data(id, "data: b\n\n", last: true)
    }],
    "reset in front of the head" => [CUT, ->(to, id) { to.rst_stream(id, 2) }],
    "reset behind the head" => [CUT, ->(to, id) { to.head(id).rst_stream(id, 2) }],
    "reset behind an event" => [CUT, ->(to, id) { to.head(id).event(id, "a").rst_stream(id, 8) }],
    "NO_ERROR before its end" => [CUT, ->(to, id) { to.head(id).event(id, "a").rst_stream(id, 0) }],
    "refused for ever" => [CUT, ->(to, id) { to.rst_stream(id, 7) }],
    "the connection's end" => [CUT, ->(to, id) { to.head(id).event(id, "a").cut }],
    "the connection's reset" => [CUT, ->(to, id) { to.head(id).event(id, "a").reset }],
    "GOAWAY and the end" => [CUT, ->(to, id) { to.head(id).event(id, "a").goaway(id, 2).cut }],
    "a frame of a wrong size" => [Streamer::ProtocolError, ->(to, id) { to.head(id).frame(:ping, 0, 0, "x") }],
    "a malformed head" => [Streamer::ProtocolError, ->(to, id) { to.head(id, { "content-type" => "text/event-stream" }) }],
    "white space around a value" => [Streamer::ProtocolError, ->(to, id) { to.head(id, { **OK, **TYPE, "x" => " y" }) }],
    "another media type" => [Streamer::ResponseError, lambda { |to, id|
      to.head(id, { **OK, "content-type" => "text/html" }).event(id, "a").data(id, last: true)
    }],
    "a coding" => [Streamer::ResponseError, lambda { |to, id|
      to.head(id, { **OK, **TYPE, "content-encoding" => "gzip" }).data(id, "x", last: true)
    }],
    "500" => [Streamer::ResponseError, ->(to, id) { to.head(id, { ":status" => "500", **TYPE }).event(id, "a").data(id, last: true) }]
  }.freeze

  def setup
    @server = FaultServer::HTTP2.new do |connection|
      loop do
        request = connection.request
        CASES.fetch(request.fields["x-case"]).last.call(connection, request.stream)
      end
    end
    (@stopped_at_the_end ||= []) << @server
    @client = @server.client
    super
  end

  def test_every_path_gives_the_same
    CASES.each do |name, (error, _)|
      outcomes = through_every_path { @client.request(:post, "/", headers: { "x-case" => name }) }
      assert_equal [error], outcomes.map(&:last).uniq, name
      outcomes.map(&:first).each do |events|
        assert_equal(error ? %w[a b].first(events.size) : %w[a b], events, name)
      end
    end
  end
end
