# frozen_string_literal: true

require "test_helper"
require "support/app_server"

# Streams behind middleware that reads, wraps or changes responses.
module MiddlewareTests
  STACK = "Conditional,Injector,Validation,Greedy"

  def server
    self.class.server ||= AppServer.new(self.class::KIND, variables: { "MIDDLEWARE" => STACK, "TEST_CASE" => "yes" })
                                   .tap { |started| Minitest.after_run { started.stop } }
  end

  def test_a_compressor_that_reads_bodies_is_not_asked_of_a_stream # row 3
    client = server.stream("/streams/events?count=6&every=0.05", headers: { "accept-encoding" => "gzip" })

    assert_includes [nil, "identity"], client.headers["content-encoding"]
    assert_equal 6, client.events.size
  end

  def test_a_middleware_that_takes_every_body_for_an_array_fails_loudly_and_runs_no_block # row 4
    %w[to_ary each first join].each do |method|
      client = server.stream("/streams/silent?greedy=#{method}&note=#{name}-#{method}")

      assert_equal 500, client.status, method
      assert_equal([%w[reported NoMethodError]], server.notes.of("#{name}-#{method}").map { |note| note.values_at("what", "error") })
    end
  end

  def test_scripts_are_put_into_pages_and_not_into_streams # row 7
    assert_equal "a page<script></script>", server.get("/formats/four", "accept" => "text/html").body
    client = server.stream("/streams/late?wait=0.5")

    assert_equal "", client.next.comment
    assert_equal ["late"], client.events.map(&:data)
  end

  def test_validation_of_responses_neither_holds_a_stream_back_nor_reads_it_again # row 8
    assert_operator median_delay("/streams/events?count=15&every=0.05"), :<, SSEClient::PROMPT
  end

  def test_streams_are_streams_where_action_controllers_test_case_is_loaded # row 6
    assert_operator median_delay("/streams/events?count=15&every=0.05"), :<, SSEClient::PROMPT
  end

  private

  def median_delay(path)
    delays = server.stream(path).events.map { |event| event.at - event.json["sent"] }

    assert_equal 15, delays.size
    delays.sort[7]
  end
end

class PumaMiddlewareTest < Minitest::Test
  KIND = :puma
  class << self
    attr_accessor :server
  end
  include MiddlewareTests
end

class FalconMiddlewareTest < Minitest::Test
  KIND = :falcon
  class << self
    attr_accessor :server
  end
  include MiddlewareTests
end
