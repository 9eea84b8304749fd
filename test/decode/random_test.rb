# frozen_string_literal: true

require "test_helper"
require "oracle/event_stream"
require "support/seed"
require "support/splits"
require "support/streams"

# The decoder against the oracle on streams that nobody thought of.
class DecodeRandomTest < Minitest::Test
  include Seed

  def test_noise_in_reads_of_any_size_decodes_as_the_oracle_says
    rounds(400) do |random|
      bytes = Streams.noise(random)
      stream = Oracle::EventStream.new(bytes)
      decoder = Streamer::Decoder.new
      events = []
      Splits.random(bytes, random, 12).each { |read| decoder.feed(read) { |event| events << [event.type, event.data, event.id] } }

      assert_equal [stream.events.map(&:to_a), stream.last_event_id, stream.retry],
                   [events, decoder.last_event_id, decoder.retry], bytes.inspect
    end
  end

  def test_noise_at_every_split
    rounds(20) do |random|
      bytes = Streams.noise(random)
      expected = Oracle::EventStream.new(bytes).events.map(&:to_a)
      Splits.each(bytes) do |name, reads|
        decoder = Streamer::Decoder.new
        events = []
        reads.each { |read| decoder.feed(read) { |event| events << [event.type, event.data, event.id] } }
        assert_equal expected, events, "#{name}: #{bytes.inspect}"
      end
    end
  end
end
