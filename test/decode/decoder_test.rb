# frozen_string_literal: true

require "test_helper"

# Decoder as a Ruby object: its Strings, its block, its limits.
class DecoderTest < Minitest::Test
  def setup
    @decoder = Streamer::Decoder.new
    @data = []
  end

  def test_a_new_decoder_has_an_empty_last_event_id_and_no_retry
    assert_equal "", @decoder.last_event_id
    assert_nil @decoder.retry
  end

  def test_type_data_and_id_are_valid_utf8
    @decoder.feed("event: t\xFF\nid: \xC3\xBC\ndata: \xE2\x82\n\n".b) do |event|
      [event.type, event.data, event.id].each do |text|
        assert_equal Encoding::UTF_8, text.encoding
        assert_predicate text, :valid_encoding?
      end
      assert_equal ["t\uFFFD", "\uFFFD", "ü"], [event.type, event.data, event.id]
    end
    assert_equal Encoding::UTF_8, @decoder.last_event_id.encoding
  end

  def test_an_event_outlives_its_read_and_its_decoder
    kept = []
    reads = ["data: first #{"x" * 100}\n\n", "data: second\n\n"].map(&:dup)
    reads.each { |read| @decoder.feed(read) { |event| kept << event } }
    reads.each { |read| read.replace("-" * read.bytesize) }
    @decoder = nil
    GC.start
    assert_equal ["first #{"x" * 100}", "second"], kept.map(&:data)
  end

  def test_input_of_any_encoding_is_taken_as_bytes
    text = "data: ü\n\n"
    %w[UTF-8 BINARY ISO-8859-1 UTF-16LE Shift_JIS].each do |encoding|
      assert_equal ["ü"], feed(text.dup.force_encoding(encoding)), encoding
    end
  end

  def test_an_utf8_string_cut_within_a_character_is_fine
    assert_empty feed("data: \xC3")
    assert_equal ["é"], feed("\xA9\n\n")
  end

  def test_frozen_unfrozen_empty_and_shared_input
    assert_empty feed("")
    assert_equal ["a"], feed("data: a\n\n")
    assert_equal ["b"], feed(+"data: b\n\n")
    assert_equal ["x" * 100], feed("-----data: #{"x" * 100}\n\n"[5..])
  end

  def test_the_input_is_left_as_it_was
    bytes = +"data: a\r\ndata: \xFF\n\n"
    before = bytes.dup
    feed(bytes)
    assert_equal before, bytes
  end

  def test_a_block_may_change_the_input_it_is_fed
    bytes = +"data: a\n\ndata: b\n\n"
    @decoder.feed(bytes) do |event|
      @data << event.data
      bytes.replace("data: z\n\n" * 100)
    end
    assert_equal %w[a b], @data
  end

  def test_only_strings_are_bytes
    [nil, 1, :data, ["data: a\n\n"]].each { |input| assert_raises(TypeError) { @decoder.feed(input) { flunk } } }
  end

  def test_a_block_that_raises_loses_nothing
    error = assert_raises(RuntimeError) do
      @decoder.feed("data: a\n\ndata: b\n\ndata: c\n\nda") do |event|
        @data << event.data
        raise "stop" if event.data == "a"
      end
    end
    assert_equal "stop", error.message
    feed("ta: d\n\n").then { |rest| assert_equal %w[a b c d], @data + rest }
  end

  def test_a_block_that_breaks_loses_nothing
    result = @decoder.feed("data: a\n\ndata: b\n\ndata: c\n\n") do |event|
      break event.data
    end
    assert_equal "a", result
    assert_equal %w[b c d], feed("data: d\n\n")
  end

  def test_a_block_that_throws_at_each_event_still_sees_them_all
    bytes = "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    4.times do |round|
      catch(:out) do
        @decoder.feed(round.zero? ? bytes : "") do |event|
          @data << event.data
          throw :out
        end
      end
    end
    assert_equal %w[0 1 2], @data
  end

  def test_the_last_event_id_is_that_of_the_event_in_the_block
    seen = []
    @decoder.feed("id: 1\ndata: a\n\nid: 2\ndata: b\n\n") { |event| seen << [event.id, @decoder.last_event_id] }
    assert_equal [%w[1 1], %w[2 2]], seen
  end

  def test_feeding_from_within_the_block_is_refused
    error = assert_raises(Streamer::Error) do
      @decoder.feed("data: a\n\n") { @decoder.feed("data: b\n\n") { flunk } }
    end
    assert_match(/feed/, error.message)
    assert_equal ["c"], feed("data: c\n\n")
  end

  def test_another_decoder_may_be_fed_from_within_the_block
    inner = Streamer::Decoder.new
    @decoder.feed("data: a\n\ndata: b\n\n") do |event|
      inner.feed("data: in #{event.data}\n\n") { |nested| @data << nested.data }
    end
    assert_equal ["in a", "in b"], @data
  end

  def test_a_line_longer_than_max_line_is_an_error_that_names_the_limit
    decoder = Streamer::Decoder.new(max_line: 20)
    error = assert_raises(Streamer::LineTooLongError) do
      decoder.feed("data: ok\n\ndata: 012345678901234567890\n\n") { |event| @data << event.data }
    end
    assert_kind_of Streamer::LimitError, error
    assert_match(/max_line/, error.message)
    assert_equal ["ok"], @data
  end

  def test_a_line_counts_while_it_grows
    decoder = Streamer::Decoder.new(max_line: 20)
    assert_raises(Streamer::LineTooLongError) { 21.times { decoder.feed("x") { flunk } } }
  end

  def test_an_event_larger_than_max_event_is_an_error_that_names_the_limit
    decoder = Streamer::Decoder.new(max_event: 20)
    error = assert_raises(Streamer::EventTooLargeError) do
      decoder.feed("data: ok\n\n") { |event| @data << event.data }
      5.times { decoder.feed("data: 01234\n") { flunk } }
    end
    assert_kind_of Streamer::LimitError, error
    assert_match(/max_event/, error.message)
    assert_equal ["ok"], @data
  end

  def test_what_fits_exactly_is_within_the_limits
    decoder = Streamer::Decoder.new(max_line: 10, max_event: 9)
    decoder.feed("data: 0123\ndata: 4567\n\n") { |event| @data << event.data }
    assert_equal ["0123\n4567"], @data
  end

  def test_a_decoder_beyond_its_limit_stays_there
    decoder = Streamer::Decoder.new(max_line: 20)
    2.times { assert_raises(Streamer::LineTooLongError) { decoder.feed("data: #{"x" * 20}\n\ndata: a\n\n") { flunk } } }
  end

  def test_limits_are_positive_integers
    [-1, 0, "10", 1.5].each do |limit|
      assert_raises(ArgumentError, TypeError) { Streamer::Decoder.new(max_line: limit) }
      assert_raises(ArgumentError, TypeError) { Streamer::Decoder.new(max_event: limit) }
    end
  end

  def test_a_long_line_in_small_reads_takes_linear_time
    short, long = ["data: #{"x" * 1000}\n\n" * 4096, "data: #{"x" * 4_120_000}\n\n"].map do |bytes|
      Array.new(3) { processor_seconds { feed_in_reads(bytes) } }.min
    end
    assert_operator long, :<, (short * 4) + 0.05
  end

  def test_a_stream_goes_on_from_a_last_event_id
    decoder = Streamer::Decoder.new(last_event_id: "41")
    assert_equal "41", decoder.last_event_id
    assert_equal ["41", "42", ""], decoder.feed("\xEF\xBB\xBFdata: a\n\nid: 42\ndata: b\n\nid\ndata: c\n\n").map(&:id)
    assert_equal "a\uFFFD", Streamer::Decoder.new(last_event_id: "a\xFF".b).last_event_id
    assert_equal "", Streamer::Decoder.new(last_event_id: "a\0").last_event_id
    assert_raises(ArgumentError) { Streamer::Decoder.new(last_event_id: "x" * 70_000) }
  end

  private

  def feed(bytes)
    [].tap { |events| @decoder.feed(bytes) { |event| events << event.data } }
  end

  def feed_in_reads(bytes)
    decoder = Streamer::Decoder.new
    0.step(bytes.bytesize - 1, 1460) { |offset| decoder.feed(bytes.byteslice(offset, 1460)) { |event| event } }
  end

  # Of this thread alone, whatever else the machine does.
  def processor_seconds
    start = Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID)
    yield
    Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID) - start
  end
end
