# frozen_string_literal: true

require "streamer/providers/background"
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

      def initialize(provider, request, background: nil) # :nodoc:
        @provider = provider
        @request = request
        @background = background
      end

      # What relays need to know of this provider's streams. The result's `kept` has finish_reason, input_tokens and output_tokens.
      def relay_options # :nodoc:
        { value: @provider.declared(:text), from: @provider.declared(:from), keep: @provider.declared(:kept), **@provider.markers }.compact
      end

      # Sends it and returns the Completion once its head has arrived. Raises ResponseError unless the status is 2xx.
      def call = completion(request.call)

      # The Completion of a response to its request.
      def completion(response) = Completion.new(@provider, response.ensure_success!) # :nodoc:

      # Whether the provider goes on while nobody reads, so that what was cut off can be read on: where the API has it and `background: true` was
      # asked for.
      def resumable? = !@background.nil?

      # A Chat that reads on in the response of this name, behind a place in it: Completion#response_id and #cursor; from its beginning where there
      # is none. It asks the model for nothing.
      def resume(response_id, after: nil)
        Chat.new(@provider, @background.read(request, response_id, after), background: @background)
      end

      # A Request that ends the response of this name at the provider.
      def cancellation(response_id) = @background.cancel(request, response_id)

      # The same with other timeouts, and sent once whatever its client says.
      def once(timeouts) # :nodoc:
        request = self.request.with(timeouts: timeouts, retries: RetryPolicy.of(nil))
        Chat.new(@provider, request, background: @background)
      end

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
