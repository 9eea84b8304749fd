# frozen_string_literal: true

require "streamer/providers/answer"

module Streamer
  module Providers
    # A question to a provider that is not sent yet. Made by Provider#chat; may be sent any number of times.
    #
    #   chat.each_text { |text| print text }                        # in a thread, a job, an async task
    #   relay_events chat, event: "token"      # as the whole answer of a controller's action
    #   events.relay chat                      # within stream_events
    class Chat
      # The Request.
      attr_reader :request

      def initialize(provider, request) # :nodoc:
        @provider = provider
        @request = request
      end

      # What relay_events and events.relay are told of this provider's answers. The result's `kept` has finish_reason, input_tokens and
      # output_tokens.
      def relay_options
        parts = { value: :text, from: :from, format: :format, done: :done, error: :error, keep: :kept }
        parts.transform_values { |part| @provider.declared(part) }.compact
      end

      # Sends it and returns the Answer at its head. Raises ResponseError unless the status is 2xx.
      def call
        response = request.call.ensure_success!
        Answer.new(@provider, response)
      end

      # Send it, as Answer's, and return the Answer once it is through.
      def each_text(&block) = call.each_text(&block)
      # As #each_text, of the answer to a request that is sent now.
      def each_tool_call_delta(&block) = call.each_tool_call_delta(&block)
      # As #each_text, of the answer to a request that is sent now.
      def each_delta(&block) = call.each_delta(&block)

      def inspect = "#<Streamer::Providers::Chat #{request}>"
    end
  end
end
