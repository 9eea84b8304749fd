# frozen_string_literal: true

require_relative "bodies"
require_relative "translating"

module Streamer
  module Transports
    # The requests of OpenAI's own gem through this one. For threads and fibers alike; one for all clients if you like.
    #
    #   OpenAI::Client.new(api_key: key, http_client: Streamer::Transports::OpenAI.new(timeouts: { idle: 30 }))
    #
    # Options are those of Request (timeouts:, tls:, proxy:, ...). The client's own `timeout` is the total one; first_event and idle are
    # off unless they are given here. Redirects and retries are the gem's. Leaving a stream (break, an exception, close) ends the request.
    #
    # Raises OpenAI::Errors::APITimeoutError and APIConnectionError, as the gem wants it; the Streamer::Error is the cause.
    class OpenAI < ::OpenAI::HTTPClient
      # Framing is libcurl's work.
      FRAMING = %w[content-length transfer-encoding].freeze
      private_constant :FRAMING

      # options: as above. Raises ArgumentError at once for what every request would be refused for.
      def initialize(**options)
        super()
        @options = { redirects: 0, **options, timeouts: { first_event: nil, idle: nil }.merge(options.fetch(:timeouts, {})) }
        Request.new("GET", "http://localhost", **@options) # says now what would be wrong with every request
      end

      # request: an OpenAI::HTTPClient::Request. Returns an OpenAI::HTTPClient::Response at the head.
      def execute(request)
        translation = translation_for(request)
        response = Transports.translating(translation) { with_body(request) { |body| build(request, body).call } }
        ::OpenAI::HTTPClient::Response.new(status: response.status, headers: response.headers.to_h, body: Body.new(response, translation))
      end

      # What the gem reads, once, and closes.
      class Body # :nodoc:
        include Enumerable

        def initialize(response, translation)
          @response = response
          @translation = translation
        end

        def each
          Transports.translating(@translation) do |theirs|
            @response.each_chunk { |bytes| theirs.call { yield bytes } }
          end
        end

        def close = @response.cancel
      end
      private_constant :Body

      private

      def build(request, body)
        headers = @options.fetch(:headers, {}).merge(request.headers.reject { |name, _| FRAMING.include?(name.to_s.downcase) })
        timeouts = @options[:timeouts].merge(total: request.timeout)
        Request.new(request.method, request.url.to_s, **@options, headers: headers, body: body, timeouts: timeouts)
      end

      # The body as Request takes it; it has been read when the block is through.
      def with_body(request)
        body = request.body
        case body
        when Pathname then body.open("rb") { |file| yield file }
        when Enumerator then yield sized(EnumeratedBody.new(body), request)
        else yield body
        end
      end

      def sized(body, request)
        length = request.headers.find { |name, _| name.to_s.downcase == "content-length" }&.last
        length ? SizedBody.new(body, Integer(length)) : body
      end

      def translation_for(request)
        lambda do |error|
          type = error.is_a?(TimeoutError) ? ::OpenAI::Errors::APITimeoutError : ::OpenAI::Errors::APIConnectionError
          type.new(url: request.url, message: error.message)
        end
      end
    end
  end
end
