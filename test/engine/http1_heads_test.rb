# frozen_string_literal: true

require "test_helper"
require "support/contexts"
require "support/fault_server"
require "support/response_paths"

# Response heads and bodies as servers write them and as nobody should, through every path that a response can take: the native thread's
# relay, frames in a fiber scheduler, events and the whole body in a thread. They must agree, with each other and with the table.
class HTTP1HeadsTest < Minitest::Test
  include Contexts::Threads
  include ResponsePaths

  STREAM = "data: a\n\ndata: b\n\n"
  CHUNKED = "5\r\ndata:\r\nd\r\n a\n\ndata: b\n\n\r\n0\r\n\r\n"
  TYPE = "Content-Type: text/event-stream\r\n"

  def self.ok(fields, body = "", version: "1.1") = "HTTP/#{version} 200 OK\r\n#{TYPE}#{fields}\r\n#{body}"
  def self.length(fields = "", body = STREAM, **options) = ok("Content-Length: 18\r\n#{fields}", body, **options)
  def self.chunked(body) = ok("Transfer-Encoding: chunked\r\n", body)
  def self.until_close(fields = "") = ok(fields, STREAM)

  # Complete, and the connection is used again.
  PERSISTING = {
    "a length" => length,
    "no reason" => length.sub(" OK", " "),
    "no reason and no space" => length.sub(" OK", ""),
    "an odd reason" => length.sub("OK", "\xE2\x98\x83\tand: more"),
    "a minor version to come" => length.sub("1.1", "1.7"),
    "line feeds alone" => length.sub(/\A.*?\r\n\r\n/m) { |head| head.delete("\r") },
    "a length with white space and zeros" => ok("Content-Length:\t0018 \t\r\n", STREAM),
    "equal lengths" => length("content-length: 18\r\n"),
    "a list of equal lengths" => ok("Content-Length: 18, 18,018\r\n", STREAM),
    "no white space" => length("A:b\r\n"),
    "white space around" => length("A: \t b\t \r\n"),
    "an empty value" => length("A:\r\nB: \r\n"),
    "bytes beyond ASCII" => length("X: \xFF\x01\x7F\r\n"),
    "chunks" => chunked(CHUNKED),
    "chunked without a space" => ok("Transfer-Encoding:chunked \r\n", CHUNKED),
    "chunked after tabs" => ok("Transfer-Encoding:\t \tchunked\t\r\n", CHUNKED),
    "chunked in capitals" => ok("TRANSFER-ENCODING: Chunked\r\n", CHUNKED),
    "chunked among empty members" => ok("Transfer-Encoding: , chunked,\r\n", CHUNKED),
    "chunked behind an empty field" => ok("Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
    "identity and chunked" => ok("Transfer-Encoding: identity, chunked\r\n", CHUNKED),
    "chunk sizes with zeros" => chunked("0000012\r\n#{STREAM}\r\n000\r\n\r\n"),
    "chunk sizes with extensions" => chunked("12 ; a = b\r\n#{STREAM}\r\n0;c=\"d;e\"\r\n\r\n"),
    "chunks with line feeds alone" => chunked("12\n#{STREAM}\n0\n\n"),
    "trailers" => chunked("12\r\n#{STREAM}\r\n0\r\nX-Trailer: x\r\nY:\r\n\r\n"),
    "100 before" => "HTTP/1.1 100 Continue\r\n\r\n#{length}",
    "103 before" => "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: x\r\n\r\n#{length}",
    "several before" => "HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\nHTTP/1.1 102\r\n\r\nHTTP/1.1 199 Odd\n\n#{length}",
    "an unknown connection option" => length("Connection: closed\r\n"),
    "HTTP/1.0 kept alive" => length("Connection: Keep-Alive\r\n", version: "1.0"),
    "content-encoding identity" => length("Content-Encoding: Identity\r\n"),
    "content-encoding empty" => length("Content-Encoding:\r\n"),
    "content-encoding none" => length("Content-Encoding: none\r\n"),
    "a media type with a parameter" => length.sub("event-stream", "event-stream;charset=utf-8"),
    "a media type in capitals" => length.sub("text/event-stream", "Text/EVENT-Stream ; charset=\"UTF-8\""),
    "a media type after a tab" => length.sub(": text", ":\ttext"),
    "media types of which the last counts" => length.sub("text/event", "text/html, text/event"),
    "media type fields of which the last counts" => "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n#{length.split("\r\n", 2).last}"
  }.freeze

  # Complete, and the connection is not used again.
  ENDING = {
    "connection: close" => length("Connection: close\r\n"),
    "connection: close in capitals" => length("Connection: CLOSE\r\n"),
    "connection: close in a list" => length("Connection: x, close\r\n"),
    "connection: close in another field" => length("Connection: x\r\nConnection:\tclose \r\n"),
    "keep-alive and close" => length("Connection: keep-alive, close\r\n"),
    "HTTP/1.0" => length(version: "1.0"),
    "both length and chunked" => ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
    "both chunked and length" => ok("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", CHUNKED),
    "a length that is none and chunked" => ok("Content-Length: x\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
    "identity and a length" => length("Transfer-Encoding: identity\r\n"),
    "HTTP/1.0 with chunks" => ok("Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", CHUNKED, version: "1.0"),
    "bytes behind the body" => length("", "#{STREAM}x"),
    "a response behind the body" => length("", STREAM + length),
    "bytes behind the last chunk" => chunked("#{CHUNKED}\r\n"),
    "until the end" => until_close,
    "until the end, kept alive" => until_close("Connection: keep-alive\r\n"),
    "until the end, HTTP/1.0" => until_close.sub("1.1", "1.0"),
    "until the end, identity" => until_close("Transfer-Encoding: identity\r\n")
  }.freeze
  CLOSED = ENDING.keys.grep(/until the end/).freeze

  PROTOCOL = Streamer::ProtocolError
  CUT = Streamer::ClosedError

  # What is wrong with it, as the error's class.
  FAILING = {
    "HTTP/2.0 on the status line" => [PROTOCOL, length.sub("1.1", "2.0")],
    "HTTP/2 on the status line" => [PROTOCOL, length.sub("1.1", "2")],
    "HTTP/0.9 on the status line" => [PROTOCOL, length.sub("1.1", "0.9")],
    "two digits" => [PROTOCOL, length.sub("1.1", "1.10")],
    "no version" => [PROTOCOL, length.sub("/1.1", "")],
    "lower case" => [PROTOCOL, length.sub("HTTP", "http")],
    "two spaces" => [PROTOCOL, length.sub(" 200", "  200")],
    "a tab" => [PROTOCOL, length.sub(" 200", "\t200")],
    "a status of four digits" => [PROTOCOL, length.sub("200", "2000")],
    "a status of two digits" => [PROTOCOL, length.sub("200", "20")],
    "a status with a sign" => [PROTOCOL, length.sub("200", "+20")],
    "a status below 100" => [PROTOCOL, length.sub("200", "099")],
    "a carriage return in the reason" => [PROTOCOL, length.sub("OK", "O\rK")],
    "a NUL in the reason" => [PROTOCOL, length.sub("OK", "O\0K")],
    "an empty line in front" => [PROTOCOL, "\r\n#{length}"],
    "white space in front" => [PROTOCOL, " #{length}"],
    "HTML" => [PROTOCOL, "<html>#{"x" * 100}</html>\r\n\r\n"],
    "a TLS alert" => [PROTOCOL, "\x15\x03\x01\x00\x02\x02\x50"],
    "white space before the colon" => [PROTOCOL, length("A : b\r\n")],
    "a tab before the colon" => [PROTOCOL, length("A\t: b\r\n")],
    "a space in the name" => [PROTOCOL, length("A B: c\r\n")],
    "no name" => [PROTOCOL, length(": b\r\n")],
    "no colon" => [PROTOCOL, length("A\r\n")],
    "a name beyond ASCII" => [PROTOCOL, length("\xC3\xA4: b\r\n")],
    "a folded line" => [PROTOCOL, length("A: b\r\n c\r\n")],
    "a line folded with a tab" => [PROTOCOL, length("A: b\r\n\tc: d\r\n")],
    "a first line that is folded" => [PROTOCOL, length.sub(TYPE, " A: b\r\n#{TYPE}")],
    "a bare carriage return" => [PROTOCOL, length("A: b\rC: d\r\n")],
    "a NUL in a value" => [PROTOCOL, length("A: b\0c\r\n")],
    "different lengths" => [PROTOCOL, length("Content-Length: 19\r\n")],
    "a list of different lengths" => [PROTOCOL, ok("Content-Length: 18, 19\r\n", STREAM)],
    "a negative length" => [PROTOCOL, ok("Content-Length: -1\r\n", STREAM)],
    "a length with a sign" => [PROTOCOL, ok("Content-Length: +18\r\n", STREAM)],
    "a hexadecimal length" => [PROTOCOL, ok("Content-Length: 0x12\r\n", STREAM)],
    "an empty length" => [PROTOCOL, ok("Content-Length:\r\n", STREAM)],
    "a length beyond 63 bits" => [PROTOCOL, ok("Content-Length: 9223372036854775808\r\n", STREAM)],
    "a length beyond 64 bits" => [PROTOCOL, ok("Content-Length: 18446744073709551634\r\n", STREAM)],
    "an unknown transfer coding" => [PROTOCOL, ok("Transfer-Encoding: gzip\r\n", STREAM)],
    "an unknown coding and chunked" => [PROTOCOL, ok("Transfer-Encoding: gzip, chunked\r\n", CHUNKED)],
    "chunked, not last" => [PROTOCOL, ok("Transfer-Encoding: chunked, identity\r\n", CHUNKED)],
    "chunked twice" => [PROTOCOL, ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKED)],
    "chunked with a parameter" => [PROTOCOL, ok("Transfer-Encoding: chunked;x=y\r\n", CHUNKED)],
    "chunked with a vertical tab" => [PROTOCOL, ok("Transfer-Encoding: chunked\x0B\r\n", CHUNKED)],
    "chunked with a prefix" => [PROTOCOL, ok("Transfer-Encoding: xchunked\r\n", CHUNKED)],
    "an empty transfer coding" => [PROTOCOL, ok("Transfer-Encoding:\r\n", STREAM)],
    "101" => [PROTOCOL, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"],
    "a chunk size that is none" => [PROTOCOL, chunked("x\r\n")],
    "a chunk size with a prefix" => [PROTOCOL, chunked("0x12\r\n#{STREAM}\r\n0\r\n\r\n")],
    "a negative chunk size" => [PROTOCOL, chunked("-1\r\n")],
    "a chunk size beyond 64 bits" => [PROTOCOL, chunked("10000000000000012\r\n#{STREAM}\r\n0\r\n\r\n")],
    "a chunk longer than its size" => [PROTOCOL, chunked("11\r\n#{STREAM}\r\n0\r\n\r\n")],
    "a trailer that is no field" => [PROTOCOL, chunked("12\r\n#{STREAM}\r\n0\r\nX : y\r\n\r\n")],
    "a head that is too large" => [Streamer::HeadersTooLargeError, length(Array.new(40) { |number| "X-#{number}: #{"y" * 8000}\r\n" }.join)],
    "a field that is too large" => [Streamer::HeadersTooLargeError, length("X: #{"y" * 300_000}\r\n")],
    "nothing" => [CUT, ""],
    "half a status line" => [CUT, "HTTP/1.1 2"],
    "half a head" => [CUT, "HTTP/1.1 200 OK\r\n#{TYPE}"],
    "only 100" => [CUT, "HTTP/1.1 100 Continue\r\n\r\n"],
    "half a body" => [CUT, length.byteslice(0..-9)],
    "half a chunk" => [CUT, chunked("12\r\n#{STREAM[0, 9]}")],
    "no last chunk" => [CUT, chunked("12\r\n#{STREAM}\r\n")],
    "half a last chunk" => [CUT, chunked("12\r\n#{STREAM}\r\n0")],
    "another media type" => [Streamer::ResponseError, length.sub("text/event-stream", "text/html")],
    "no event stream by the last field" => [Streamer::ResponseError, length("Content-Type: text/html\r\n")],
    "a coding that was not asked for" => [Streamer::ResponseError, length("Content-Encoding: gzip\r\n")],
    "404" => [Streamer::ResponseError, length.sub("200 OK", "404 Not Found")],
    "600" => [Streamer::ResponseError, length.sub("200", "600")]
  }.freeze

  # Of which nothing comes.
  EMPTY = {
    "204" => "HTTP/1.1 204 No Content\r\n\r\n",
    "204 with a length" => "HTTP/1.1 204 No Content\r\n#{TYPE}Content-Length: 0\r\n\r\n",
    "no event" => ok("Content-Length: 0\r\n"),
    "no chunk" => chunked("0\r\n\r\n")
  }.freeze

  RESPONSES = { **PERSISTING, **ENDING, **EMPTY, **FAILING.transform_values(&:last) }.freeze

  def setup
    @server = FaultServer::HTTP1.new do |connection|
      while (fields = connection.read_head&.last)
        name = fields["x-name"]
        bytes = name ? RESPONSES.fetch(name) : self.class.length
        fields["x-slow"] ? connection.write_bytes(bytes) : connection.write(bytes)
        break if CLOSED.include?(name) || FAILING.key?(name)
      end
    end
    (@stopped_at_the_end ||= []) << @server
    @client = @server.client(retries: nil)
    super
  end

  def test_responses_that_keep_their_connection
    PERSISTING.each_key do |name|
      assert_equal [[%w[a b], nil]], through(name).uniq, name
      assert_equal STREAM, get(name).read, name
    end
    # One for threads and relays together, and one for each scheduler.
    assert_equal 1 + PERSISTING.size, @server.connections
  end

  def test_responses_that_end_their_connection
    ENDING.each_key do |name|
      before = @server.connections
      assert_equal [[%w[a b], nil]], through(name).uniq, name
      assert_equal STREAM, get(name).read, name
      get(nil).read
      assert_operator @server.connections - before, :>=, 4, name
    end
  end

  def test_responses_without_a_body
    EMPTY.each_key { |name| assert_equal [[[], nil]], through(name).uniq, name }
  end

  def test_responses_that_are_errors
    FAILING.each do |name, (error, _)|
      outcomes = through(name)
      assert_equal [error], outcomes.map(&:last).uniq, name
      outcomes.map(&:first).each { |events| assert_equal %w[a b].first(events.size), events, name }
    end
  end

  # As far as they are larger than a packet: 200 responses, 25,000 packets. What comes behind a response later than the next request
  # cannot be told from the next response.
  def test_the_same_one_byte_at_a_time
    RESPONSES.each do |name, bytes|
      next if bytes.bytesize > 1000 || EMPTY.key?(name) || name.match?(/behind the (body|last chunk)/)

      error = FAILING.key?(name) ? FAILING[name].first : nil
      events, outcome = events_of { request(name, slow: true) }
      error ? assert_equal([name, error], [name, outcome]) : assert_equal([name, %w[a b], nil], [name, events, outcome])
    end
    some = ["chunks", "both length and chunked", "trailers", "103 before", "no last chunk", "a folded line"]
    some.each { |name| assert_equal 1, through(name, slow: true).map(&:last).uniq.size, name }
  end

  private

  def through(name, **options) = through_every_path { request(name, **options) }

  def request(name, slow: false)
    headers = { "x-name" => name, "x-slow" => ("yes" if slow) }.compact
    @client.request(:get, "/", headers: headers)
  end

  def get(name, **options) = request(name, **options).call
end
