# frozen_string_literal: true

require "json"
require "openssl"
require "socket"
require "zlib"
require_relative "recording"
require_relative "splits"

module Streamer
  module Testing
    class Upstream
      # One request and the means to answer it. The methods that write return self, so they chain.
      class Exchange
        # The Request, the bytes sent so far, and the Upstream.
        attr_reader :request, :sent, :upstream

        def initialize(upstream, socket, request) # :nodoc:
          @upstream, @socket, @request = upstream, socket, request
          @sent = 0
        end

        # --- whole answers ---

        # A whole response with a Content-Length.
        def answer(body = "", status: 200, type: "text/plain", headers: {})
          raw("#{status_line(status)}#{fields({ "content-type" => type, "content-length" => body.bytesize }.merge(headers))}\r\n#{body}")
        end

        # A whole response: the object as JSON.
        def json(object, status: 200, headers: {})
          answer(JSON.generate(object), status: status, type: "application/json", headers: headers)
        end

        # A JSON object of what arrived.
        def echo
          json({ method: request.method, target: request.target, headers: request.headers,
                 body: request.body.dup.force_encoding("UTF-8").scrub, bytes: request.body.bytesize })
        end

        # A whole response that has a Location.
        def redirect(location, status: 302) = answer("", status: status, headers: { "location" => location })

        # Frames as an event stream, `every` seconds apart. split: where each frame is cut into chunks, see Splits.
        def stream(frames, every: 0, split: nil, headers: {})
          head(headers: headers)
          frames.each_with_index do |frame, index|
            pause(every) if every.positive? && index.positive?
            Splits.of(frame, split).each { |piece| chunk(piece) }
          end
          finish
        end

        # Answers as the service did that was recorded. recording: a Recording or the path of its file. every: seconds between two reads,
        # or :recorded for the times that they had. split: where the body is cut into chunks, see Splits; nil for the reads that were
        # recorded. bytes: so much of the body and no end, for a fault to follow.
        def replay(recording, every: 0, split: nil, bytes: nil)
          recording = Recording.load(recording) unless recording.is_a?(Recording)
          recorded = recording.answer_to(request) or return answer("not in the recording: #{request.method} #{request.path}", status: 501)
          body = recorded.body.byteslice(0, bytes || recorded.body.bytesize)
          pieces = split ? Splits.of(body, split) : recorded.pieces(body.bytesize)
          head(status: recorded.status, type: nil, headers: recorded.headers)
          pieces.each_with_index do |piece, index|
            pause(every == :recorded ? recorded.seconds_before(index) : every) unless every == 0
            chunk(piece)
          end
          bytes ? self : finish
        end

        # An OpenAI chat completion of so many tokens: "t0 ", "t1 ", ...
        def openai(tokens: 3, every: 0, split: nil)
          frames = (0..tokens).lazy.map { |number| number < tokens ? Upstream.token(number) : "data: [DONE]\n\n" }
          stream(frames, every: every, split: split)
        end

        # --- parts of an answer ---

        # Status line and headers of a chunked body.
        def head(status: 200, type: "text/event-stream", headers: {})
          raw("#{status_line(status)}#{fields({ "content-type" => type, "transfer-encoding" => "chunked" }.compact.merge(headers))}\r\n")
        end

        # One chunk of a chunked body, flushed.
        def chunk(bytes)
          return self if bytes.empty?

          raw("#{bytes.bytesize.to_s(16)}\r\n#{bytes}\r\n")
        end

        # The end of a chunked body.
        def finish = raw("0\r\n\r\n")

        # Bytes as they are.
        def raw(bytes)
          0.step(bytes.bytesize - 1, 16_384) { |offset| @sent += @socket.write(bytes.byteslice(offset, 16_384)) }
          self
        rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
          raise Gone
        end

        # Waits, and notices at once when the client leaves.
        def pause(seconds)
          deadline = Upstream.now + seconds
          while (left = deadline - Upstream.now).positive?
            raise Gone if @socket.to_io.wait_readable(left) && left?
          end
          self
        end

        # --- faults ---

        # Says nothing until the client leaves or the server stops.
        def stall = pause(3600)

        # Closes as a process that ends does: FIN, whatever the framing promised.
        def close
          @socket.close
          self
        end

        # Closes with RST.
        def reset
          @socket.to_io.setsockopt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 0].pack("ii"))
          @socket.to_io.close
          self
        end

        # Header fields without an end.
        def headers_for_ever
          raw("HTTP/1.1 200 OK\r\n")
          0.step { |number| raw("x-filler-#{number}: #{"f" * 900}\r\n") }
        end

        # One `data` line of so many bytes, made as it is sent.
        def endless_line(bytes = 2 << 30)
          head.chunk("data: ")
          block = "x" * 65_536
          (bytes / block.bytesize).times { chunk(block) }
          chunk("\n\n").finish
        end

        # The status line and headers, one byte every `every` seconds.
        def slow_head(every:)
          head = "#{status_line(200)}content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
          head.each_char { |character| raw(character).pause(every) }
          self
        end

        # The frames, compressed, as a proxy does that was not asked.
        def gzip(frames)
          answer(Zlib.gzip(frames.join), type: "text/event-stream", headers: { "content-encoding" => "gzip" })
        end

        private

        REASONS = { 200 => "OK", 204 => "No Content", 301 => "Moved Permanently", 302 => "Found", 303 => "See Other",
                    307 => "Temporary Redirect", 308 => "Permanent Redirect", 404 => "Not Found",
                    429 => "Too Many Requests", 500 => "Internal Server Error", 503 => "Service Unavailable" }.freeze
        private_constant :REASONS

        def status_line(status) = "HTTP/1.1 #{status} #{REASONS[status]}\r\n"
        def fields(headers) = headers.map { |name, value| "#{name}: #{value}\r\n" }.join

        # A client in the middle of an answer sends nothing, so readable means that it left (or, under TLS, said so).
        def left?
          return @socket.read_nonblock(1, exception: false).nil? if @socket.is_a?(OpenSSL::SSL::SSLSocket)

          @socket.recv_nonblock(1, Socket::MSG_PEEK, exception: false).then { |bytes| bytes.nil? || bytes == "" }
        rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
          true
        end
      end
    end
  end
end
