# frozen_string_literal: true

require_relative "messages"

module Streamer
  module Generation
    # What went wrong with a generation: whether another try may help, and what a person is told.
    class Failure # :nodoc:
      # What other libraries' errors mean, by name, since they need not be there. An error is what the first of its ancestors says.
      KINDS = {
        busy: %w[Faraday::TooManyRequestsError Faraday::ServerError RubyLLM::RateLimitError RubyLLM::ServerError RubyLLM::ServiceUnavailableError
                 RubyLLM::OverloadedError OpenAI::Errors::RateLimitError OpenAI::Errors::InternalServerError],
        timeout: %w[Timeout::Error Errno::ETIMEDOUT Faraday::TimeoutError Faraday::RequestTimeoutError OpenAI::Errors::APITimeoutError],
        connection: %w[Faraday::ConnectionFailed OpenAI::Errors::APIConnectionError Errno::ECONNRESET Errno::ECONNREFUSED Errno::EPIPE
                       Errno::EHOSTUNREACH SocketError EOFError],
        refused: %w[Faraday::ClientError RubyLLM::Error OpenAI::Errors::APIStatusError]
      }.flat_map { |kind, names| names.map { |name| [name, kind] } }.to_h.freeze
      private_constant :KINDS

      attr_reader :error

      # error: one of another library that has one of this in it is that one.
      def initialize(error, transient: [])
        wrapped = error.wrapped_exception if error.respond_to?(:wrapped_exception)
        @error = wrapped.is_a?(Error) ? wrapped : error
        @transient = transient
      end

      # As in Relay::Result#reason.
      def code
        status = self.status
        return "http_#{status}" if status

        error.is_a?(Error) ? Error.name_of(error) : "internal"
      end

      def message = Messages[kind]

      def timed_out? = kind == :timeout

      # Whether the worker that had it is gone, or about to be.
      def interrupted? = kind == :interrupted

      # Whether the same request may succeed a while later.
      def transient? = %i[busy timeout connection].include?(kind)

      # Whether nobody has heard the upstream say how it ended.
      def cut_off? = %i[timeout connection].include?(kind)

      # Whether it is a mistake of the application's, or of this library.
      def unexpected? = kind == :internal

      # Seconds that the upstream asks for; nil.
      def retry_after = (RetryPolicy.asked_wait(error.headers) if error.is_a?(ResponseError))

      private

      def status = error.is_a?(ResponseError) ? error.status : nil

      def kind
        case error
        when ResponseError then error.status == 408 ? :timeout : kind_of_status
        when TimeoutError then :timeout
        when ConnectionError, CircuitOpenError then :connection
        when UpstreamError then error.type.to_s.match?(/overloaded|rate_limit|server_error|unavailable/) ? :busy : :refused
        when InterruptedError then :interrupted
        when LogFullError, LimitError then :too_long
        else kind_by_name
        end
      end

      def kind_of_status = status == 429 || status >= 500 || status == 409 ? :busy : :refused

      def kind_by_name
        return :connection if @transient.any? { |type| type === error } # rubocop:disable Style/CaseEquality

        error.class.ancestors.each { |type| KINDS[type.name]&.then { |kind| return kind } }
        :internal
      end
    end
  end
end
