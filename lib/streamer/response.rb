# frozen_string_literal: true

module Streamer
  # An answer whose head is here and whose body is on its way. The body is read once, by one thread or fiber, in one of the
  # ways below; how fast the block takes it is how fast the upstream is read.
  #
  # A block that breaks or raises cancels the rest. Errors say how much the block had received.
  class Response
    # Bytes of an error's body that are kept, and of a body that #read returns unless told otherwise.
    MAX_ERROR_BODY = 64 * 1024
    MAX_BODY = 64 * 1024 * 1024

    REDIRECTS = [301, 302, 303, 307, 308].freeze

    # The Request that this answers, redirects followed.
    attr_reader :request

    # Integer
    attr_reader :status

    # For the sinks.
    attr_reader :transfer # :nodoc:

    def initialize(request, transfer, status)
      @request = request
      @transfer = transfer
      @status = status
      @delivered = 0
    end

    # A Headers.
    def headers = @headers ||= Headers.parse(@transfer.head)

    def url = request.url

    def success? = status.between?(200, 299)

    def redirect? = REDIRECTS.include?(status)

    # Whether the body is an event stream by its media type.
    def event_stream? = headers["content-type"].to_s.match?(%r{\Atext/event-stream\b}i)

    # Yields each Event of an event stream. Raises ResponseError for an answer that is none (see ensure_stream!).
    # max_line, max_event: bytes, as in Decoder.
    def each_event(**limits)
      return to_enum(__method__, **limits) unless block_given?

      ensure_stream!
      decoder = Decoder.new(**limits)
      each_read do |bytes|
        decoder.feed(bytes) do |event|
          @transfer.note_event unless event.type == "ping" || event.data.empty?
          yield event
          @delivered += 1
        end
      end
    end

    # Yields the value at a path (see Extractor) of each event that has it and not null; "[DONE]" is passed over. With several
    # paths an Array of their values. Raises as each_event, and ExtractError for an event that is not JSON.
    def each_value(*paths, **limits)
      return to_enum(__method__, *paths, **limits) unless block_given?

      extractor = Extractor.new(*paths)
      ensure_stream!
      decoder = Decoder.new(**limits)
      each_read do |bytes|
        news = decoder.feed_values(bytes, extractor) do |value|
          @transfer.note_text if value.is_a?(String) && !value.empty?
          yield value
          @delivered += 1
        end
        @transfer.note_event if news.positive?
      end
    end

    # Yields the frames a Pipeline makes of each read, where it makes any.
    def each_frames(pipeline)
      return to_enum(__method__, pipeline) unless block_given?

      ensure_stream!
      reading do
        while (frames = @transfer.read_frames(pipeline))
          yield frames unless frames.empty?
          @delivered = pipeline.frames
        end
      end
    end

    # Yields the body's bytes as they arrive, as Strings of any length.
    def each_chunk
      return to_enum(__method__) unless block_given?

      each_read do |bytes|
        @transfer.note_event
        yield bytes
        @delivered += 1
      end
    end

    # The whole body. max: bytes; BodyTooLarge beyond. In the encoding the head names, UTF-8 for text and JSON.
    def read(max: MAX_BODY)
      body = String.new(encoding: Encoding::BINARY)
      each_chunk do |bytes|
        raise BodyTooLarge, "the body is larger than #{max} bytes (max:)" if body.bytesize + bytes.bytesize > max

        body << bytes
      end
      body.force_encoding(encoding)
    end

    # The whole body, parsed. Raises ExtractError when it is not JSON.
    def json(max: MAX_BODY)
      JSON.parse(read(max: max))
    rescue JSON::ParserError => error
      raise ExtractError.new("the body is not valid JSON: #{error.message[0, 200]}").concerning(request.to_s)
    end

    # Raises ResponseError, with the start of the body, unless the status is 2xx. Returns self.
    def ensure_success!
      return self if success?

      raise ResponseError.new(status, headers, error_body).concerning(request.to_s).timed(@transfer)
    end

    # Raises ResponseError, with the start of the body, unless this is an event stream that can be read as it comes: a 2xx status, the
    # media type text/event-stream or none, and no content encoding. Returns self.
    def ensure_stream!
      error = Response.refusal(status, headers) { error_body }
      raise error.concerning(request.to_s).timed(@transfer) if error

      self
    end

    # Why an answer cannot be read as an event stream, an error, or nil. Yields for the start of its body.
    def self.refusal(status, headers) # :nodoc:
      type, encoding = headers.values_at("content-type", "content-encoding")
      expectation =
        if !status.between?(200, 299) then ""
        elsif type && !type.match?(%r{\Atext/event-stream\b}i) then " with #{type}, and not with an event stream"
        elsif encoding && !encoding.match?(/\Aidentity\b/i) then " with the content encoding #{encoding}, which was not asked for"
        end
      ResponseError.new(status, headers, yield, expectation) if expectation
    end

    # Ends it now; the connection is given up if the body was not complete. From any thread or fiber, any number of times.
    # Whoever is reading gets what had arrived, and then CancelledError.
    def cancel
      @transfer.cancel
    end

    # What it took, in seconds; nil for what did not happen, and as a whole until the answer has ended, however it did.
    #
    # queue: waited for its turn. From then to each step: dns, connect, tls, first_byte, first_event, first_text (the first value that
    # is text), total. gap_p95 and gap_max: between reads that brought events, as they arrived. And bytes, reused (the connection),
    # http_version, address (the other end's: the upstream's or the proxy's), outcome (:completed, :cancelled, :idle_timeout, ...).
    def timings = @transfer.timings

    def inspect = "#<Streamer::Response #{status} #{request}>"

    # Runs a block that reads the transfer in its own way, with the rules at the top.
    def reading # :nodoc:
      raise Error.new("the body was read already").concerning(request.to_s) if @read

      @read = true
      result = yield
      complete = true
      result
    rescue Error => error
      raise error.concerning(request.to_s, delivered: @delivered).timed(@transfer)
    ensure
      cancel if @read && !complete
    end

    private

    def each_read
      reading do
        while (bytes = @transfer.read)
          yield bytes
        end
      end
    end

    # The answer's status is the news; that its body broke off is not.
    def error_body
      body = String.new(encoding: Encoding::BINARY)
      begin
        each_chunk do |bytes|
          body << bytes.byteslice(0, MAX_ERROR_BODY - body.bytesize)
          break if body.bytesize >= MAX_ERROR_BODY
        end
      rescue ConnectionError, TimeoutError
        nil
      end
      body.force_encoding(encoding).scrub!
    end

    def encoding
      type = headers["content-type"].to_s
      charset = type[/charset="?([\w-]+)/i, 1]
      return Encoding.find(charset) if charset

      type.match?(%r{\Atext/|json}i) ? Encoding::UTF_8 : Encoding::BINARY
    rescue ArgumentError
      Encoding::BINARY
    end
  end
end
