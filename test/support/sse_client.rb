# frozen_string_literal: true

require "json"
require "openssl"
require "socket"
require "zlib"

# A browser's side of one HTTP/1 exchange, byte by byte, over a plain socket or TLS (unverified), uncompressed, with the
# moment each frame arrived.
#
#   client = SSEClient.new(port, "/events", headers: { "last-event-id" => "7" })
#   client.status; client.headers["content-type"]; client.head     # the raw lines
#   client.next                  # the next Frame, comments included; nil at the end
#   client.next_event            # the same, comments passed over
#   client.events                # all that are left
#   client.body                  # everything that is left, undecoded
#   client.clean?                # after the end: whether the last chunk had come (HTTP/1.1)
#   client.ask("/more")          # another request on the same connection
#   client.next_response         # after the end: its response, from now on
#   client.leave                 # FIN, as a closed tab
#   client.reset                 # RST
#   client.half_close            # FIN, and goes on reading
#   client.vanish                # no packet reaches it any more, and it sends none
#
# Whatever waits gives up after `timeout` seconds with SSEClient::Late.
class SSEClient
  Late = Class.new(StandardError)

  # Seconds that half of a stream's events, 50 ms apart, may take: many times what they do, for the machine may be busy, and less than
  # where a cork of 200 ms or a buffer holds them back.
  PROMPT = 0.08

  # `comment` is nil for an event; `at` is monotonic, in seconds.
  Frame = Struct.new(:type, :data, :id, :retry, :comment, :at, keyword_init: true) do
    def json = JSON.parse(data)
  end

  attr_reader :head, :status, :headers, :connected_at

  def initialize(port, path, method: "GET", version: "1.1", headers: {}, tls: false, timeout: 20)
    @timeout = timeout
    @buffer = +"".b # from the socket
    @body = +"".b   # behind the chunks' framing
    @connected_at = now
    @socket = TCPSocket.new("127.0.0.1", port)
    @socket = OpenSSL::SSL::SSLSocket.new(@socket).tap { |socket| socket.sync_close = true }.connect if tls
    @request = [method, version, { "host" => "127.0.0.1:#{port}", "accept" => "text/event-stream" }.merge(headers)]
    ask(path)
    next_response
  end

  def ask(path)
    method, version, fields = @request
    @socket.write("#{method} #{path} HTTP/#{version}\r\n#{fields.map { |name, value| "#{name}: #{value}\r\n" }.join}\r\n")
  end

  def next_response
    read_head
    @chunked = @headers["transfer-encoding"] == "chunked"
    @left = @headers["content-length"]&.to_i
    @inflater = Zlib::Inflate.new(Zlib::MAX_WBITS + 32) if @headers["content-encoding"] == "gzip"
    @ended = @request.first == "HEAD"
    @clean = nil
  end

  def next
    deadline = now + @timeout
    until (cut = @body.index("\n\n"))
      return if @ended

      fill(deadline)
    end
    parse(@body.slice!(0, cut + 2).force_encoding(Encoding::UTF_8))
  end

  def next_event
    loop do
      frame = self.next
      return frame if frame.nil? || frame.comment.nil?
    end
  end

  def events
    found = []
    while (event = next_event)
      found << event
    end
    found
  end

  def body
    deadline = now + @timeout
    fill(deadline) until @ended
    @body.slice!(0..).force_encoding(Encoding::UTF_8)
  end

  def clean? = @clean == true

  def leave = @socket.close

  def left? = @socket.closed?

  def reset
    @socket.setsockopt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 0].pack("ii"))
    @socket.close
  end

  def half_close = @socket.close_write

  # A socket filter (BPF) of one instruction: return 0, keep nothing. So nothing is acknowledged.
  def vanish
    filter = [0x06, 0, 0, 0].pack("SCCL")
    @socket.setsockopt(Socket::SOL_SOCKET, Socket::SO_ATTACH_FILTER, [1, filter].pack("S x6 p"))
  end

  private

  def read_head
    deadline = now + @timeout
    receive(deadline) || raise(EOFError, "closed before the head ended") until @buffer.include?("\r\n\r\n")
    @head = @buffer.slice!(0, @buffer.index("\r\n\r\n") + 4)
    line, *fields = @head.split("\r\n")
    @status = line[%r{\AHTTP/1\.[01] (\d{3})}, 1].to_i
    @headers = fields.to_h { |field| field.split(/: ?/, 2).then { |name, value| [name.downcase, value] } }
  end

  # At least one more byte of the body, or the end.
  def fill(deadline)
    size = @body.bytesize
    @chunked ? unchunk : unframe
    return if @ended || @body.bytesize > size
    return if receive(deadline)

    @ended = true
    @clean = !@chunked
  end

  def unframe
    take(@buffer.slice!(0..))
    @clean = @ended = true if @left && @body.bytesize >= @left
  end

  def unchunk
    while (match = /\A(\h+)\r\n/.match(@buffer))
      size = match[1].hex
      return if @buffer.bytesize < match[0].bytesize + size + 2

      @buffer.slice!(0, match[0].bytesize)
      take(@buffer.slice!(0, size))
      raise "a chunk without its end: #{@buffer[0, 20].inspect}" unless @buffer.slice!(0, 2) == "\r\n"
      return @clean = @ended = true if size.zero?
    end
  end

  def take(bytes) = @body << (@inflater ? @inflater.inflate(bytes) : bytes)

  # True with more bytes in @buffer, false at the end of the connection.
  def receive(deadline)
    bytes = @socket.read_nonblock(65_536, exception: false)
    if bytes == :wait_readable
      left = deadline - now
      return true if left.positive? && @socket.to_io.wait_readable(left)

      raise Late, "nothing for #{@timeout} s; so far #{@body.inspect}"
    end
    return false unless bytes

    @at = now
    @buffer << bytes
    true
  rescue Errno::ECONNRESET, OpenSSL::SSL::SSLError
    false
  end

  def parse(text)
    return Frame.new(comment: text.delete_prefix(":").strip, at: @at) if text.start_with?(":")

    fields = text.each_line(chomp: true).map { |line| line.split(/: ?/, 2) }.group_by(&:first)
    value = ->(name) { fields[name]&.last&.last }
    data = fields["data"]&.map { |_, line| line.to_s }&.join("\n")
    Frame.new(type: value["event"] || "message", data: data, id: value["id"], retry: value["retry"], at: @at)
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
