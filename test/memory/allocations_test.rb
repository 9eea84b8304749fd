# frozen_string_literal: true

require "test_helper"
require "objspace"
require "support/allocations"
require "support/upstream"

# What an event costs in Ruby objects, and what the objects say they hold.
class AllocationsTest < Minitest::Test
  include Allocations

  CONTENT = "choices.0.delta.content"

  def test_a_pipeline_makes_no_object_per_event
    pipeline = Streamer::Pipeline.new(value: CONTENT, event: "token")
    assert_equal pipeline_cost(pipeline, 100), pipeline_cost(pipeline, 1000)
    assert_operator pipeline_cost(pipeline, 1000), :<=, 3
  end

  def test_a_pipeline_that_passes_events_through_makes_none_either
    pipeline = Streamer::Pipeline.new
    assert_equal pipeline_cost(pipeline, 100), pipeline_cost(pipeline, 1000)
  end

  def test_a_pipeline_makes_none_for_events_cut_by_reads
    pipeline = Streamer::Pipeline.new(value: CONTENT)
    few, many = [100, 1000].map { |count| [stream(count)[0...-50], stream(count)[-50..]] }
    costs = [few, few, many, few, many].map { |reads| allocations { reads.each { |read| pipeline.feed(read) } } }
    assert_equal costs[-2], costs[-1]
  end

  def test_a_decoder_makes_an_event_and_its_data_per_event
    decoder = Streamer::Decoder.new
    few, many = [100, 1000].map { |count| stream(count) }
    costs = [few, many, few, many].map { |bytes| allocations { decoder.feed(bytes) { |event| event } } }
    assert_equal 2 * 900, costs[3] - costs[2]
  end

  def test_what_grows_is_reported_to_the_garbage_collectors_statistics
    decoder = Streamer::Decoder.new
    small = ObjectSpace.memsize_of(decoder)
    decoder.feed("data: #{"x" * 1_000_000}") { flunk }
    assert_operator ObjectSpace.memsize_of(decoder), :>, small + 1_000_000
    decoder.feed("\n\n") { |event| event }
    decoder.feed("data: a\n\n") { |event| event }
    assert_operator ObjectSpace.memsize_of(decoder), :<, small + 100_000
  end

  private

  def stream(count) = Array.new(count) { |number| Upstream.token(number) }.join

  def pipeline_cost(pipeline, count)
    bytes = stream(count)
    Array.new(3) { allocations { pipeline.feed(bytes) } }.min # the first times fill Ruby's own caches
  end
end
