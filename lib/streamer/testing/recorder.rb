# frozen_string_literal: true

require "fileutils"
require "json"
require_relative "recording"
require_relative "redaction"

module Streamer
  module Testing
    # The script of an Upstream that asks a real service, hands on what it answers read by read, and writes each whole exchange to a
    # file (see Recording), before the client sees the answer's end. One that breaks off is not recorded.
    class Recorder
      # Of one connection, not of the message (RFC 9110, 7.6.1), or about the framing, which is our own.
      HOP = %w[connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade
               host content-length accept-encoding expect].freeze

      # client: a Streamer::Client of the service, with what it has to know. redact: Strings that must not be in the file.
      def initialize(path, client, redact: [])
        @path = path
        @client = client
        @redact = redact
        @exchanges = []
        @lock = Mutex.new
      end

      def to_proc = method(:call).to_proc # :nodoc:

      def call(exchange) # :nodoc:
        started = Upstream.now
        response = ask(exchange.request)
        reads = hand_on(response, exchange, started)
        keep(exchange.request, response, reads)
        exchange.finish
      rescue Error => error
        exchange.json({ error: { message: "not recorded: #{error.message}" } }, status: 502)
      ensure
        response&.cancel
      end

      private

      def ask(request)
        body = request.body unless request.body.nil? || request.body.empty?
        @client.request(request.method, request.target, headers: request.headers.except(*HOP), body: body, redirects: 0).call
      end

      def hand_on(response, exchange, started)
        exchange.head(status: response.status, type: nil, headers: headers_of(response))
        reads = []
        response.each_chunk do |bytes|
          reads << [(Upstream.now - started).round(3), bytes]
          exchange.chunk(bytes)
        end
        reads
      end

      def headers_of(response) = response.headers.to_h.except(*HOP)

      def keep(request, response, reads)
        redaction = Redaction.new(response.request.headers, request.target, @redact)
        entry = {
          request: { method: request.method, target: redaction.target, headers: redaction.request_headers(request.headers.except(*HOP)),
                     body: Recording.dump(redaction.reads([[0, request.body.to_s]])[0][1]) },
          response: { status: response.status, headers: redaction.response_headers(headers_of(response)),
                      reads: redaction.reads(reads).map { |seconds, bytes| [seconds, Recording.dump(bytes)] } }
        }
        @lock.synchronize { write(@exchanges << entry) }
      end

      def write(exchanges)
        FileUtils.mkdir_p(File.dirname(@path))
        File.write(@path, "#{JSON.pretty_generate(exchanges: exchanges)}\n")
      end
    end
  end
end
