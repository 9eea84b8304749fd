# frozen_string_literal: true

require "streamer/providers/tool_calls"

module Streamer
  module Providers
    # A provider's response whose head has arrived. It is read once, in one of the ways below, by one thread or fiber. A block that breaks
    # or raises cancels the rest.
    #
    # What is text, a finish reason, usage and an error is said by the provider's declaration alone, which Chat#relay_options passes to
    # relays: both read a stream alike.
    #
    # Raises UpstreamError where the provider reports a failure within its stream, TruncatedError where the stream ends without its end
    # marker, and the errors of Response. An error is `delivered?` if the block had been called.
    class Completion
      # A Response.
      attr_reader :response

      # What the provider said of its usage, a Hash in its own words: cached and reasoning tokens among others. nil where it said nothing.
      attr_reader :raw_usage

      # The text in which the model refused to respond, for providers that mark it (OpenAI's); nil if it did not. It is text for each_text,
      # too.
      attr_reader :refusal

      # What a provider that can be read from again calls this response, and the place in it of the last event that was read: for Chat#resume.
      # nil where it has not said any.
      attr_reader :response_id, :cursor

      def initialize(provider, response) # :nodoc:
        @provider = provider
        @response = response
        @calls = ToolCalls.new
        @kept = {}
      end

      # Yields each piece of text. Returns self.
      def each_text
        return to_enum(__method__) unless block_given?

        read do |text, _|
          yield text if text
          text
        end
      end

      # Yields a ToolCall whenever one begins or has grown: its `delta` is what came, its `arguments` all that has come. Returns self.
      def each_tool_call_delta(&block)
        return to_enum(__method__) unless block

        read { |_, calls| calls.each(&block).any? }
      end

      # Yields text and nil, or nil and a ToolCall, in the order they come; of one event the text first. Returns self.
      def each_delta
        return to_enum(__method__) unless block_given?

        read do |text, calls|
          yield text, nil if text
          calls.each { |call| yield nil, call }
          text || calls.any?
        end
      end

      # All its text. max: bytes; BodyTooLargeError beyond.
      def text(max: Response::MAX_BODY)
        text = +""
        each_text do |piece|
          raise BodyTooLargeError, "the text is larger than #{max} bytes (max:)" if text.bytesize + piece.bytesize > max

          text << piece
        end
        text
      end

      # The ToolCalls so far, in the order they began.
      def tool_calls = @calls.to_a

      # Why it ended, in the provider's words ("stop", "tool_calls", "end_turn", "MAX_TOKENS", ...); nil as long as that is open.
      def finish_reason = @kept[:finish_reason]

      # { input_tokens: Integer, output_tokens: Integer }, as far as the provider has said it.
      def usage = @kept.slice(:input_tokens, :output_tokens)

      # Calls the block, once, when the response's name is known, before any text.
      def on_response_id(&block) = @on_response_id = block # :nodoc:

      # As Response#cancel: ends it now, from any thread or fiber.
      def cancel = response.cancel

      def inspect = "#<Streamer::Providers::Completion #{response.status} #{response.request}>"

      private

      # Yields the text of each event, nil where it has none, and the ToolCalls that grew with it. The block returns whether the
      # application got any of it.
      def read
        response.each_found(@provider.paths, **@provider.markers, from: @provider.declared(:from), from_paths: 1) do |found|
          remember(found)
          text = @provider.text(found)
          response.transfer.note_text if text
          yield text, @calls.add(@provider.tool_calls(found))
        end
        self
      end

      # What counts is what was said last: usage is cumulative. An empty String is what some servers send for a reason that is still open.
      def remember(found)
        @provider.declared(:kept).each_key { |name| @kept[name] = found[name] unless found[name].nil? || found[name] == "" }
        @provider.usage_paths.each_key { |name| @raw_usage = { **@raw_usage.to_h, **found[name].compact } if found[name].is_a?(Hash) }
        @refusal = "#{@refusal}#{found[:refusal]}" if found[:refusal].is_a?(String)
        @cursor = found[:cursor] unless found[:cursor].nil?
        name(found[:response_id]) if @response_id.nil? && found[:response_id].is_a?(String)
      end

      def name(id)
        @response_id = id
        @on_response_id&.call(id)
      end
    end
  end
end
