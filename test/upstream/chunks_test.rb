# frozen_string_literal: true

require "test_helper"
require "support/contexts"

# Bodies in chunks: whatever their shape and however they arrive, the same bytes, and a connection that can be used again exactly when
# the answer came to its end. Whole chunks are read without libcurl, the rest by libcurl.
module ChunkTests
  BODY = "3\r\nabc\r\n1\r\n\n\r\nA;name=\"value\"\r\n0123456789\r\n2\nde\n004\r\n\r\n\r\n\r\n0\r\nx-trailer: 1\r\n\r\n"
  TEXT = "abc\n0123456789de\r\n\r\n"

  def setup
    @upstream = upstream
    @client = Streamer::Client.new(@upstream.url, timeouts: { connect: 2, idle: 5, total: 20 })
  end

  def test_every_shape_at_every_cut
    (1...BODY.bytesize).each do |cut|
      answer { |exchange| exchange.raw(BODY.byteslice(0, cut)).pause(0.003).raw(BODY.byteslice(cut..)) }
      assert_equal TEXT, get.read, "cut at #{cut}"
    end
    assert_equal 1, @upstream.connections
  end

  def test_byte_by_byte
    answer { |exchange| BODY.each_char { |byte| exchange.raw(byte).pause(0.001) } }
    2.times { assert_equal TEXT, get.read }
    assert_equal 1, @upstream.connections
  end

  def test_chunks_one_by_one_together_and_larger_than_a_read
    sizes = [1, 10, 16_376, 16_377, 16_378, 16_384, 40_000, 1, 300, 200_000, 3]
    pieces = sizes.map.with_index { |size, index| (index + 97).chr * size }
    answer { |exchange| pieces.each { |piece| exchange.chunk(piece).pause(0.005) }.then { exchange.finish } }
    assert_equal pieces.join, get.read
    together = pieces.map { |piece| "#{piece.bytesize.to_s(16)}\r\n#{piece}\r\n" }.join
    answer { |exchange| exchange.raw("#{together}0\r\n\r\n") }
    assert_equal pieces.join, get.read
    assert_equal [pieces.sum(&:bytesize), true], [@response.timings[:bytes], @response.timings[:reused]]
    assert_equal 1, @upstream.connections
  end

  def test_many_small_chunks_in_one_write_to_a_slow_reader
    tokens = Array.new(40_000) { |number| "data: #{number}\n\n" }
    answer { |exchange| exchange.raw("#{tokens.map { |token| "#{token.bytesize.to_s(16)}\r\n#{token}\r\n" }.join}0\r\n\r\n") }
    numbers = get.each_event.map.with_index do |event, index|
      sleep 0.05 if (index % 10_000).zero?
      event.data
    end
    assert_equal Array.new(40_000, &:to_s), numbers
    get.read
    assert_equal 1, @upstream.connections
  end

  def test_a_cut_behind_a_whole_chunk
    answer { |exchange| exchange.chunk("data: a\n\n").pause(0.02).chunk("data: b\n\n").pause(0.02).close }
    seen = []
    assert_raises(Streamer::ConnectionError) { get.each_event { |event| seen << event.data } }
    assert_equal %w[a b], seen
  end

  def test_a_chunk_length_that_is_none_behind_a_whole_chunk
    ["oops\r\n", "fffffffffffffffff\r\n", "-1\r\n", "3\r\nabcd\r\n"].each do |framing|
      answer { |exchange| exchange.chunk("data: a\n\n").pause(0.02).chunk("data: b\n\n").raw(framing).pause(0.02) }
      seen = []
      assert_raises(Streamer::ConnectionError, framing) { get.each_event { |event| seen << event.data } }
      assert_equal %w[a b], seen
    end
    answer { |exchange| exchange.finish }
    assert_empty get.read
    assert_equal 5, @upstream.connections
  end

  def test_leaving_behind_a_whole_chunk_closes_the_connection
    answer { |exchange| exchange.chunk("data: a\n\n").pause(0.02).chunk("data: b\n\n").stall }
    get.each_event { |event| break if event.data == "b" }
    assert @upstream.requests.last.wait_gone
    answer { |exchange| exchange.finish }
    assert_empty get.read
    assert_equal 2, @upstream.connections
  end

  def test_trailers_for_ever
    answer do |exchange|
      exchange.chunk("data: a\n\n").raw("0\r\n")
      0.step { |number| exchange.raw("x-filler-#{number}: #{"f" * 900}\r\n") }
    end
    assert_raises(Streamer::HeadersTooLargeError) { get.read }
  end

  def test_a_coding_that_nobody_asked_for
    @upstream.on("/") do |exchange|
      exchange.raw("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: gzip, chunked\r\n\r\n").chunk("x").finish
    end
    assert_raises(Streamer::ProtocolError) { get.read }
  end

  private

  def answer(&body)
    @upstream.on("/") { |exchange| body.call(exchange.head) }
  end

  def get = @response = @client.get("/")
end

class ChunksTest < Minitest::Test
  include Contexts::Threads
  include ChunkTests
end

class ScheduledChunksTest < Minitest::Test
  include Contexts::Scheduled
  include ChunkTests
end

class AsyncChunksTest < Minitest::Test
  include Contexts::InAsync
  include ChunkTests
end
