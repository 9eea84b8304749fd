# frozen_string_literal: true

module Streamer
  module Generation
    # What went wrong with a generation: whether another try may help, and what a person is told.
    class Failure # :nodoc:
      MESSAGES = {
        busy: "The service is busy at the moment. Please try again in a while.",
        timeout: "The service did not answer in time. Please try again.",
        connection: "The connection to the service was lost. Please try again.",
        interrupted: "The work was interrupted. Please try again.",
        refused: "The service refused the request.",
        internal: "Something went wrong. Please try again."
      }.freeze

      # Of other libraries, by name, since they need not be there.
      TRANSIENT = %w[
        Net::OpenTimeout Net::ReadTimeout Net::WriteTimeout Faraday::TimeoutError Faraday::ConnectionFailed Faraday::TooManyRequestsError
        Faraday::ServerError RubyLLM::RateLimitError RubyLLM::ServerError RubyLLM::ServiceUnavailableError RubyLLM::OverloadedError
        OpenAI::Errors::RateLimitError OpenAI::Errors::InternalServerError OpenAI::Errors::APIConnectionError Errno::ECONNRESET
        Errno::ECONNREFUSED Errno::EPIPE Errno::ETIMEDOUT Errno::EHOSTUNREACH SocketError EOFError
      ].freeze
      private_constant :TRANSIENT

      attr_reader :error

      def initialize(error, transient: [])
        @error = error
        @transient = transient
      end

      # As in Relay::Result#reason.
      def code
        status = self.status
        return "http_#{status}" if status

        error.is_a?(Error) ? Error.name_of(error) : "internal"
      end

      def message = MESSAGES.fetch(kind)

      def timed_out? = kind == :timeout

      # Whether the same request may succeed a while later.
      def transient? = %i[busy timeout connection].include?(kind)

      # Seconds that the upstream asks for; nil.
      def retry_after
        value = error.headers["retry-after"] if error.is_a?(ResponseError)
        Float(value, exception: false) if value
      end

      private

      def status = error.is_a?(ResponseError) ? error.status : nil

      def kind
        case error
        when ResponseError then status == 408 ? :timeout : kind_of_status
        when TimeoutError, ::Timeout::Error then :timeout
        when ConnectionError, CircuitOpenError then :connection
        when UpstreamError then error.type.to_s.match?(/overloaded|rate_limit|server_error|unavailable/) ? :busy : :refused
        else @transient.any? { |type| type === error } || named?(error) ? :connection : :internal # rubocop:disable Style/CaseEquality
        end
      end

      def kind_of_status = status == 429 || status >= 500 || status == 409 ? :busy : :refused

      def named?(error) = error.class.ancestors.any? { |type| TRANSIENT.include?(type.name) }
    end
  end
end
