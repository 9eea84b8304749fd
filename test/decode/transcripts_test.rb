# frozen_string_literal: true

require "test_helper"
require "oracle/event_stream"
require "support/splits"
require "support/transcripts"

# Every case of test/fixtures/decode at every split.
class TranscriptsTest < Minitest::Test
  Transcripts.all.each do |transcript|
    define_method("test_#{transcript.location}: #{transcript.name}") do
      expected = [transcript.events.map(&:to_a), transcript.last_event_id, transcript.retry]
      Splits.each(transcript.bytes) do |name, reads|
        assert_equal expected, decode(reads), "#{transcript.location}, #{name}: #{transcript.bytes.inspect}"
      end
    end

    define_method("test_#{transcript.location}: the oracle agrees") do
      stream = Oracle::EventStream.new(transcript.bytes)
      assert_equal transcript.events.map(&:to_a), stream.events.map(&:to_a), transcript.location
      assert_equal transcript.last_event_id, stream.last_event_id, transcript.location
      assert_equal_or_nil transcript.retry, stream.retry
    end
  end

  private

  def decode(reads)
    decoder = Streamer::Decoder.new
    events = []
    reads.each { |read| decoder.feed(read) { |event| events << [event.type, event.data, event.id] } }
    [events, decoder.last_event_id, decoder.retry]
  end

  def assert_equal_or_nil(expected, actual)
    expected.nil? ? assert_nil(actual) : assert_equal(expected, actual)
  end
end
