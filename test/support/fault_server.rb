# frozen_string_literal: true

require "openssl"
require "socket"
require "protocol/hpack"
require_relative "upstream"

# Servers that say what a test tells them, byte for byte, one script for all connections and a thread for each.
module FaultServer
  # Accepts connections on loopback and runs the script with each: over TLS where `alpn` is given, an Array of what it chooses among, or [].
  class Base
    attr_reader :port

    def initialize(tls: nil, alpn: nil, context: nil, &script)
      @script, @alpn = script, alpn
      @context = context || (tls_context if tls || alpn)
      @server = TCPServer.new("127.0.0.1", 0)
      @port = @server.local_address.ip_port
      @lock = Mutex.new
      @threads = []
      @accepted = 0
      @acceptor = Thread.new { accept }
    end

    def url(path = "") = "#{@context ? "https://localhost" : "http://127.0.0.1"}:#{port}#{path}"

    def client(**options)
      timeouts = { connect: 10, idle: 10, first_event: 10 }.merge(options.delete(:timeouts).to_h)
      Streamer::Client.new(url, timeouts: timeouts, tls: { ca_file: (Certificates.ca_file if @context) }, **options)
    end

    # Connections accepted so far.
    def connections = @lock.synchronize { @accepted }

    # What scripts have raised, but for what a client's leaving raises, is raised here.
    def stop
      Upstream.without_scheduler do
        @acceptor.kill.join
        @server.close
        @lock.synchronize { @threads.dup }.each { |thread| thread.kill.join }
      end
      raise @failure if @failure
    end

    private

    def accept
      loop do
        plain = @server.accept
        @lock.synchronize do
          @accepted += 1
          number = @accepted
          @threads.select!(&:alive?)
          @threads << Thread.new { serve(plain, number) }
        end
      end
    end

    def serve(plain, number)
      plain.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, true)
      socket = @context ? OpenSSL::SSL::SSLSocket.new(plain, @context).tap(&:accept) : plain
      @script.call(connection(socket, number))
    rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
      nil # the client left
    rescue StandardError => error
      @failure ||= error
    ensure
      plain.close
    end

    def tls_context
      OpenSSL::SSL::SSLContext.new.tap do |context|
        context.cert = Certificates.server_certificate
        context.key = Certificates.server_key
        context.alpn_select_cb = ->(offered) { (offered & @alpn).first } if @alpn&.any?
      end
    end
  end

  # One connection's bytes.
  class Connection
    attr_reader :number

    def initialize(socket, number)
      @socket, @number = socket, number
    end

    # None once it is closed: OpenSSL would read from a descriptor that may be another connection's by then.
    def socket = @socket.to_io.closed? ? raise(IOError, "closed") : @socket

    def write(bytes)
      socket.write(bytes)
      self
    end

    # FIN, without TLS's close_notify.
    def cut
      socket.to_io.close
      self
    end

    # RST.
    def reset
      socket.to_io.setsockopt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 0].pack("ii"))
      cut
    end

    # Until the client leaves; what it says is dropped. Below TLS: OpenSSL forgets a session when it reads an end without close_notify,
    # and newer libcurls send none for connections that were made with CURLOPT_CONNECT_ONLY.
    def wait_gone
      loop { socket.to_io.readpartial(16_384) }
    end
  end

  # An HTTP/1.1 server: the script gets an HTTP1Connection.
  class HTTP1 < Base
    private

    def connection(socket, number) = HTTP1Connection.new(socket, number)
  end

  class HTTP1Connection < Connection
    # [request line, fields as a Hash], nil at the end. The body is the script's to read.
    def read_head
      line = socket.gets("\r\n") or return
      fields = {}
      while (field = socket.gets("\r\n")&.chomp) && !field.empty?
        name, value = field.split(/:\s*/, 2)
        fields[name.downcase] = value
      end
      [line.chomp, fields]
    end

    # Each byte its own packet, as far as the system allows.
    def write_bytes(bytes)
      bytes.each_char { |byte| write(byte) }
      self
    end
  end

  # An HTTP/2 server by hand: the script gets an HTTP2Connection whose preface is read and whose SETTINGS are sent.
  class HTTP2 < Base
    def initialize(settings: {}, alpn: ["h2"], **options, &script)
      @settings = settings
      super(alpn: alpn, **options, &script)
    end

    private

    def connection(socket, number) = HTTP2Connection.new(socket, number).tap { |connection| connection.open(@settings) }
  end

  class HTTP2Connection < Connection
    TYPES = { data: 0, headers: 1, priority: 2, rst_stream: 3, settings: 4, push_promise: 5, ping: 6, goaway: 7, window_update: 8,
              continuation: 9 }.freeze
    SETTINGS = { header_table_size: 1, enable_push: 2, max_concurrent_streams: 3, initial_window_size: 4, max_frame_size: 5,
                 max_header_list_size: 6 }.freeze
    END_STREAM = 1
    ACK = 1
    END_HEADERS = 4
    HEAD = { ":status" => "200", "content-type" => "text/event-stream" }.freeze

    Frame = Struct.new(:type, :flags, :stream, :payload) do
      def end_stream? = %i[data headers].include?(type) && flags.anybits?(END_STREAM)
      def ack? = flags.anybits?(ACK)
      def code = payload.unpack1("N")
    end
    Request = Struct.new(:stream, :fields, :ended) do
      def path = fields[":path"]
      def method = fields[":method"]
    end

    # Frames that came before a barrier.
    attr_reader :pending

    def initialize(socket, number)
      super
      @decoding = ::Protocol::HPACK::Context.new
      @pending = []
    end

    def open(settings)
      preface = socket.read(24) or raise EOFError
      raise "no HTTP/2 preface: #{preface.inspect}" unless preface == "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

      settings(settings)
    end

    # --- what the client says ---

    # The next frame; SETTINGS are acknowledged. nil at the end.
    def read_frame
      return @pending.shift if @pending.any?

      head = socket.read(9)
      return if head.nil? || head.bytesize < 9

      high, low, type, flags, stream = head.unpack("CnCCN")
      frame = Frame.new(TYPES.key(type), flags, stream & 0x7fffffff, socket.read((high << 16) + low))
      frame.payload = frame.payload.byteslice(5..) if frame.type == :headers && flags.anybits?(0x20)
      write(self.class.frame(:settings, ACK)) if frame.type == :settings && !frame.ack?
      frame
    end

    # The next frame of this type; those before it are passed over.
    def read(type)
      while (frame = read_frame)
        return frame if frame.type == type && !(type == :settings && frame.ack?)
      end
      raise EOFError
    end

    # The next request; its body, if it has one, is still to come.
    def request
      frame = read(:headers)
      fields = ::Protocol::HPACK::Decompressor.new(frame.payload, @decoding).decode.to_h
      Request.new(frame.stream, fields, frame.end_stream?)
    end

    # Whatever is sent before it has been taken by the client when this returns: it has answered a PING. What else it said meanwhile is kept.
    def barrier
      write(self.class.frame(:ping, 0, 0, "barrier!"))
      kept = []
      until (frame = read_frame).nil? || (frame.type == :ping && frame.ack?)
        kept << frame
      end
      @pending = kept
      raise EOFError if frame.nil?

      self
    end

    # --- frames ---

    def self.frame(type, flags = 0, stream = 0, payload = "")
      code = type.is_a?(Symbol) ? TYPES.fetch(type) : type
      [payload.bytesize >> 16, payload.bytesize & 0xffff, code, flags, stream].pack("CnCCN") + payload.b
    end

    # Literal fields that touch no table, without Huffman's code.
    def self.fields(fields)
      fields.map { |name, value| "\0".b + string(name) + string(value) }.join
    end

    def self.string(text)
      length = text.bytesize
      return [length].pack("C") + text.b if length < 127

      prefix = [127].pack("C")
      length -= 127
      while length >= 128
        prefix << [(length & 127) | 128].pack("C")
        length >>= 7
      end
      prefix + [length].pack("C") + text.b
    end

    def frame(...) = write(self.class.frame(...))

    def settings(values)
      frame(:settings, 0, 0, values.map { |name, value| [SETTINGS.fetch(name), value].pack("nN") }.join)
    end

    def head(stream, fields = HEAD, last: false)
      frame(:headers, END_HEADERS | (last ? END_STREAM : 0), stream, self.class.fields(fields))
    end

    def data(stream, bytes = "", last: false) = frame(:data, last ? END_STREAM : 0, stream, bytes)
    def event(stream, data) = data(stream, "data: #{data}\n\n")
    def rst_stream(stream, code) = frame(:rst_stream, 0, stream, [code].pack("N"))
    def goaway(last, code = 0) = frame(:goaway, 0, 0, [last, code].pack("NN"))
    def window_update(stream, size) = frame(:window_update, 0, stream, [size].pack("N"))

    # A whole response.
    def respond(stream, *events)
      head(stream)
      events.each { |event| event(stream, event) }
      data(stream, "", last: true)
    end
  end
end
