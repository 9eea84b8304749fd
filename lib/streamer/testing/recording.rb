# frozen_string_literal: true

require "json"
require_relative "splits"

module Streamer
  module Testing
    # What a service answered, read by read, in a file that a person can read and edit. Upstream.recorded makes and answers from it.
    #
    #   { "exchanges": [
    #     { "request": { "method": "POST", "target": "/v1/chat/completions", "headers": { "accept": "text/event-stream" }, "body": "…" },
    #       "response": { "status": 200, "headers": { "content-type": "text/event-stream" },
    #                     "reads": [[0.412, "data: …\n\n"], [0.437, { "base64": "…" }]] } }
    #   ] }
    #
    # A read is the time in seconds since the request, and the bytes: base64 where a character was cut.
    #
    # A request gets the answer to the same method and path, whatever its query and body. Where there are several, it gets
    # the next one, and the last again and again.
    class Recording
      # reads: [[seconds, bytes], ...]
      Answer = Struct.new(:method, :path, :status, :headers, :reads, keyword_init: true) do
        def body = reads.map(&:last).join

        # The body's first bytes, as they were read.
        def pieces(bytes)
          ends = reads.inject([0]) { |offsets, (_, read)| offsets << (offsets.last + read.bytesize) }
          Splits.of(body.byteslice(0, bytes), ends)
        end

        # From one read to the next; nothing for those that there were not.
        def seconds_before(index) = index.between?(1, reads.size - 1) ? reads[index][0] - reads[index - 1][0] : 0
      end

      def self.load(path) = new(JSON.parse(File.read(path)).fetch("exchanges"))

      # How bytes stand in the file, and back.
      def self.dump(bytes)
        text = bytes.dup.force_encoding(Encoding::UTF_8)
        text.valid_encoding? ? text : { base64: [bytes].pack("m0") }
      end

      def self.undump(value) = value.is_a?(Hash) ? value.fetch("base64").unpack1("m0") : value.b

      # exchanges: as in the file.
      def initialize(exchanges)
        @answers = exchanges.map { |exchange| answer(exchange.fetch("request"), exchange.fetch("response")) }
        @lock = Mutex.new
        @given = Hash.new(0)
      end

      # The Answer to a request that has a method and a path; nil when nothing was recorded for it.
      def answer_to(request)
        key = [request.method, request.path]
        found = @answers.select { |answer| [answer.method, answer.path] == key }
        @lock.synchronize { found[[(@given[key] += 1), found.size].min - 1] } if found.any?
      end

      private

      def answer(request, response)
        Answer.new(method: request.fetch("method"), path: request.fetch("target")[/\A[^?]*/], status: response.fetch("status"),
                   headers: response.fetch("headers"),
                   reads: response.fetch("reads").map { |seconds, bytes| [seconds, Recording.undump(bytes)] })
      end
    end
  end
end
