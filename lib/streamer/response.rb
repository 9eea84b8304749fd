# frozen_string_literal: true

module Streamer
  # A response whose head is here and whose body is on its way. The body is read once, by one thread or fiber, in one of the ways below, and
  # only as fast as the block consumes it.
  #
  # each_event, each_value and each_frames return at the stream's end marker ("[DONE]" unless done: says otherwise); what comes behind it is
  # thrown away. A block that breaks or raises cancels the rest. Errors say how much the block had received.
  class Response
    # Bytes of an error's body that are kept.
    MAX_ERROR_BODY = 64 * 1024

    # Bytes of a body that #read returns unless told otherwise.
    MAX_BODY = 64 * 1024 * 1024

    # Seconds that reading waits behind the end marker for the end of the message.
    GRACE = 0.01
    private_constant :GRACE

    # The Request that this responds to, redirects followed.
    attr_reader :request

    # Integer
    attr_reader :status

    # For the sinks.
    attr_reader :transfer # :nodoc:

    # The Upstream::Fetch that brought it, which may bring another in its place.
    attr_writer :fetch # :nodoc:

    def initialize(request, transfer, status) # :nodoc:
      @request = request
      @transfer = transfer
      @status = status
      @delivered = 0
    end

    # A Headers.
    def headers = @headers ||= Headers.parse(@transfer.head)

    # The URL of #request, redirects followed, without credentials: a String.
    def url = request.url

    # Whether the status is 2xx.
    def success? = status.between?(200, 299)

    # Whether the status is one of a redirect (301, 302, 303, 307, 308), which was not followed.
    def redirect? = Upstream::Redirect::STATUSES.include?(status)

    # Whether the body is an event stream by its media type.
    def event_stream? = headers.media_type == "text/event-stream"

    # Yields each Event and returns self. The media type says what an event is: one of an event stream, a line of NDJSON, an element of a
    # JSON array, a JSON document, a span of text. format: what it is whatever the head says, as in Decoder. done, error: as in
    # Decoder::Markers. max_line, max_event: bytes, as in Decoder.
    #
    # Raises ResponseError for a response that has none of these (see ensure_stream!) or is an error as a whole, UpstreamError for an event
    # that says that the upstream failed, TruncatedError for a stream that ended before it was complete.
    def each_event(format: nil, done: :optional, error: "error", **options, &block)
      return to_enum(__method__, format: format, done: done, error: error, **options) unless block

      undelivered do
        ensure_stream!(format: format)
        decoder = Decoder.new(format: format || media_format, done: done, error: error, **options)
        take = ->(event) { hand_over(event, &block) }
        reading do
          until_marker(decoder) { |bytes| decoder.feed(bytes, &take) } || decoder.finish(&take)
        end
      end
      self
    end

    # Yields the value at a path (see Extractor) of each event that has it and not null; "[DONE]" is passed over. Returns self.
    # paths: what Pipeline takes as value:. One path yields its value; several, or an Array, an Array of their values, nil for what an event
    # has not; a Hash of name => path a Hash of name => value. from: the types of the events that have them.
    #
    # Raises as each_event; InvalidJSONError for an event that is not JSON; and ResponseError for a response that is one JSON document
    # without any of the values.
    def each_value(*paths, **options)
      return to_enum(__method__, *paths, **options) unless block_given?

      each_found(*paths, **options) do |value|
        @transfer.note_text if value.is_a?(String) && !value.empty?
        yield value
        true
      end
    end

    # As each_value, for a block that returns whether the application got anything of the value: only then it is delivered.
    def each_found(*paths, format: nil, done: :optional, error: "error", **options) # :nodoc:
      raise ArgumentError, "text has no values: each_value goes with :sse, :ndjson and :json" if format == :text

      extractor, wrap = extraction(paths)
      undelivered do
        ensure_stream!(format: format, values: true)
        decoder = Decoder.new(format: format || media_format, done: done, error: error, **options)
        take = lambda do |value|
          @transfer.note_event
          @delivered += 1 if yield(wrap ? wrap.call(value) : value)
        end
        reading do
          until_marker(decoder) { |bytes| @transfer.note_event if decoder.feed_values(bytes, extractor, &take).positive? } ||
            decoder.finish_values(extractor, &take)
        end
      end
      self
    end

    # Yields the frames that a Pipeline makes of each read, where it makes any: one String of whole frames. Returns self. every_read: yields
    # "" too, where a read makes none. Raises as each_value.
    def each_frames(pipeline, every_read: false)
      return to_enum(__method__, pipeline, every_read: every_read) unless block_given?

      ensure_stream!(format: pipeline.format, values: pipeline.values?)
      pipeline.expect(media_format) unless pipeline.format
      take = lambda do |frames|
        yield frames if every_read || !frames.empty?
        @delivered = pipeline.frames
      end
      reading(pipeline) do
        until_marker(pipeline, -> { @transfer.read_frames(pipeline) }, &take) || take.call(pipeline.finish)
      end
      self
    end

    # Yields the body's bytes as they arrive, as Strings of any length. Returns self.
    def each_chunk
      return to_enum(__method__) unless block_given?

      each_read do |bytes|
        @transfer.note_event
        yield bytes
        @delivered += 1
      end
      self
    end

    # The whole body, a String. Text (by its media type, or because a charset is named) is well-formed UTF-8, whatever its charset; all else
    # is binary. max: bytes; BodyTooLargeError beyond. Raises ResponseError when the response of another attempt (see RetryPolicy) is no
    # success and this one, whose status the caller knows, was.
    def read(max: MAX_BODY)
      bytes = read_bytes(max)
      Upstream::Text.of(bytes, headers)
    end

    # The whole body, parsed. max: bytes, as in read. Raises InvalidJSONError when it is not JSON.
    def json(max: MAX_BODY)
      bytes = read_bytes(max)
      JSON.parse(Upstream::Text.decode(bytes, headers.charset))
    rescue JSON::ParserError => error
      raise InvalidJSONError.new("the body is not valid JSON: #{error.message.scrub[0, 200]}").concerning(request.to_s, request_id: request_id)
    end

    # As read, and always as it came.
    def read_bytes(max) # :nodoc:
      succeeded = success?
      undelivered do
        ensure_success! if succeeded
        body = String.new(encoding: Encoding::BINARY)
        each_read do |bytes|
          @transfer.note_event
          raise BodyTooLargeError, "the body is larger than #{max} bytes (max:)" if body.bytesize + bytes.bytesize > max

          body << bytes
        end
        body
      end
    end

    # Raises ResponseError, with the start of the body, unless the status is 2xx. Returns self.
    def ensure_success!
      return self if success?

      raise ResponseError.new(status, headers, error_body).concerning(request.to_s, request_id: request_id).timed(@transfer)
    end

    # Raises ResponseError, with the start of the body, unless this can be read as events as it comes: a 2xx status, no content encoding,
    # and a media type that stands for a format, or none. format: given, so that the media type does not matter. values: whether JSON is
    # wanted, which text is not. Returns self.
    def ensure_stream!(format: nil, values: false)
      error = Response.refusal(status, headers, format: format, values: values) { error_body }
      raise error.concerning(request.to_s, request_id: request_id).timed(@transfer) if error

      self
    end

    # Why a response cannot be read as events, an error, or nil. Yields for the start of its body.
    def self.refusal(status, headers, format:, values:) # :nodoc:
      type = headers.media_type
      format ||= Decoder.format_of(type)
      expectation =
        if !status.between?(200, 299) then ""
        elsif format.nil? || (values && format == :text) then " with #{type}, and not with an event stream"
        elsif !headers.identity? then " with the content encoding #{headers["content-encoding"]}, which was not asked for"
        end
      ResponseError.new(status, headers, yield, expectation) if expectation
    end

    # The start of an error's body, as text whatever it is called.
    def self.error_text(bytes, headers) = Upstream::Text.decode(bytes, headers.charset) # :nodoc:

    # The error as a caller sees it: a response that is one as a whole is a ResponseError.
    def self.error_of(error, status, headers) # :nodoc:
      return error unless error.is_a?(UpstreamError) && error.origin != :event

      expectation = error.origin == :unwanted ? " with one JSON document, and not with a stream" : " with an error"
      ResponseError.new(status, headers, error.data, expectation)
    end

    # What the upstream calls this request, for its support: the x-request-id or request-id of its head; or nil.
    def request_id = Response.request_id(headers)

    def self.request_id(headers) = headers["x-request-id"] || headers["request-id"] # :nodoc:

    # Ends it now; the connection is given up if the body was not complete. From any thread or fiber, any number of times.
    # Whoever is reading gets what had arrived, and then CancelledError.
    def cancel
      @left = true
      (@fetch || @transfer).cancel
    end

    # What it took, in seconds; nil for what did not happen, and as a whole until the response has ended, however it did.
    #
    # queue: waited for admission. From then to each step: dns, connect, tls, first_byte, first_event, first_text (the first value that
    # is text), total. gap_p95 and gap_max: between reads that brought events, as they arrived. And bytes, reused (the connection),
    # http_version, address (the other end's: the upstream's or the proxy's), outcome (:completed, :cancelled, :idle_timeout, ...).
    def timings = @left ? @transfer.finish : @transfer.timings

    def inspect = "#<Streamer::Response #{status} #{request}>"

    # Runs a block that reads the transfer in its own way, with the rules at the top.
    # pipeline: the one that gathers its text.
    def reading(pipeline = nil) # :nodoc:
      raise Error.new("the body was read already").concerning(request.to_s) if @read

      @read = true
      result = yield
      complete = true
      result
    rescue Error => error
      raise Response.error_of(error, status, headers)
                    .concerning(request.to_s, delivered: @delivered, request_id: request_id, text: pipeline&.collected).timed(@transfer)
    ensure
      if @read && !complete
        @left = true
        @transfer.cancel
      end
    end

    # Yields each read, which is nothing delivered yet.
    def each_read # :nodoc:
      reading do
        while (bytes = take)
          yield bytes
        end
      end
    end

    # Yields the event: it is delivered then, and the timeouts know of it.
    def hand_over(event) # :nodoc:
      @transfer.note_event if event.content?
      yield event
      @delivered += 1
    end

    private

    # Yields each read. True when the end marker came: nothing behind it matters, not even how the connection ends. What still comes is
    # thrown away, within the bounds of a relay (64 KiB, 1 second), so that the connection can be used again.
    def until_marker(stage, read = method(:take))
      while (bytes = read.call)
        yield bytes
        next unless stage.done?

        drain
        return true
      end
      false
    end

    # The message's end is mostly right behind the marker. Whoever waits for it that long finds the connection free for the next request.
    def drain
      return @transfer.drain if Upstream::Source.current # the other sources go on meanwhile

      group = Group.new
      group.join(@transfer, 0)
      @transfer.drain
      group.wait(GRACE) if @transfer.outcome == :OPEN
    ensure
      group&.leave(@transfer)
    end

    # An Extractor of the paths, and what makes its value the one that the block gets; nil where they are the same.
    def extraction(paths)
      list = paths.size == 1 ? paths.first : paths
      case list
      when Hash then [Extractor.new(*list.values), ->(values) { list.keys.zip(list.size == 1 ? [values] : values).to_h }]
      when Array then [Extractor.new(*list), (->(value) { [value] } if list.size == 1)]
      else [Extractor.new(list), nil]
      end
    end

    def media_format = Decoder.format_of(headers.media_type)

    def take
      @transfer.read
    rescue ConnectionError, TimeoutError => error
      @broken_by = error
      raise
    end

    # Runs the block, once more on the next attempt's response when this one broke before anything of it was delivered (see RetryPolicy).
    def undelivered
      yield
    rescue ConnectionError, TimeoutError => error
      raise unless error.equal?(@broken_by) && @delivered.zero? && (other = @fetch&.after(error))

      @request, @transfer, @status = other.request, other.transfer, other.status
      @headers = nil
      @read = false
      retry
    end

    # The response's status is the news; that its body broke off is not.
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
      Response.error_text(body, headers)
    end
  end
end
