# frozen_string_literal: true

require "streamer/providers/completion"

module Streamer
  module Providers
    # A request to a provider that is not sent yet. Made by Provider#chat; may be sent any number of times, and goes wherever a Request
    # goes.
    #
    #   chat.each_text { |text| print text }     # in a thread, a job, an async task
    #   relay_events chat, event: "token"        # as the whole response of a controller's action
    #   events.relay chat                        # within stream_events
    #   Streamer.gather(a: chat, b: other_chat)  # several at once
    class Chat
      # The Request.
      attr_reader :request

      def initialize(provider, request) # :nodoc:
        @provider = provider
        @request = request
      end

      # What relays need to know of this provider's streams. The result's `kept` has finish_reason, input_tokens and output_tokens.
      def relay_options # :nodoc:
        { value: @provider.declared(:text), from: @provider.declared(:from), keep: @provider.declared(:kept), **@provider.markers }.compact
      end

      # Sends it and returns the Completion once its head has arrived. Raises ResponseError unless the status is 2xx.
      def call = read(request.call)

      # The Completion of a response to it that somebody else has asked for. Raises ResponseError unless the status is 2xx.
      def read(response) = Completion.new(@provider, response.ensure_success!) # :nodoc:

      # Send it, as Completion's, and return the Completion once it has ended.
      def each_text(&block) = call.each_text(&block)
      # As #each_text, of the answer to a request that is sent now.
      def each_tool_call_delta(&block) = call.each_tool_call_delta(&block)
      # As #each_text, of the answer to a request that is sent now.
      def each_delta(&block) = call.each_delta(&block)

      def inspect = "#<Streamer::Providers::Chat #{request}>"
    end
  end
end
