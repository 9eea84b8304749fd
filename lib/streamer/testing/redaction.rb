# frozen_string_literal: true

module Streamer
  module Testing
    # What must not get into a recording: credentials in headers and queries, and their values wherever else they are found.
    # Of a request's headers only those stay that are known to be harmless; a new kind of key is left out without being known here.
    class Redaction
      MARK = "[redacted]"
      HARMLESS = %w[accept accept-language anthropic-beta anthropic-version content-type last-event-id openai-beta user-agent].freeze
      SECRET = /auth|cookie|key|passw|secret|session|signature|token/i
      PRIVATE = /auth|cookie|secret|organization|project|account/i

      # Shorter ones are found everywhere.
      MIN = 6

      # headers: those that the service was sent. target: of the request. also: Strings.
      def initialize(headers, target, also)
        @path, _, query = target.partition("?")
        @query = query.split("&").map { |pair| pair.split("=", 2) }
        values = headers.filter_map { |name, value| value.sub(/\A(?:Basic|Bearer) /i, "") if name.match?(SECRET) }
        values += @query.filter_map { |name, value| value if name.match?(SECRET) }
        @secrets = [*also, *values].compact.map(&:b).select { |secret| secret.bytesize >= MIN }.uniq
      end

      def target
        query = @query.map { |name, value| value && name.match?(SECRET) ? "#{name}=#{MARK}" : [name, value].compact.join("=") }
        query.empty? ? @path : "#{@path}?#{query.join("&")}"
      end

      def request_headers(headers) = headers.to_h { |name, value| [name, HARMLESS.include?(name) ? value : MARK] }

      def response_headers(headers)
        headers.to_h { |name, value| [name, name.match?(PRIVATE) ? MARK : covered(value).force_encoding(Encoding::UTF_8).scrub] }
      end

      # [[seconds, bytes], ...] as long as before, also where a secret lies across two reads.
      def reads(reads)
        body = covered(reads.map(&:last).join)
        offset = 0
        reads.map do |seconds, bytes|
          [seconds, body.byteslice(offset, bytes.bytesize)].tap { offset += bytes.bytesize }
        end
      end

      private

      def covered(bytes) = @secrets.inject(bytes.b) { |text, secret| text.gsub(secret) { "*" * secret.bytesize } }
    end
  end
end
