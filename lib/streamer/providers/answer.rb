# frozen_string_literal: true

require "streamer/providers/tool_call"

module Streamer
  module Providers
    # A provider's answer, whose head is here. It is read once, in one of the ways below, by one thread or fiber. A block that breaks or
    # raises cancels the rest.
    #
    # Raises UpstreamError where the provider reports a failure within its stream, TruncatedError where the stream ends without its end
    # marker, and the errors of Response.
    class Answer
      # A Response.
      attr_reader :response

      # The ToolCalls so far, in the order they began.
      def tool_calls = @calls.values

      def initialize(provider, response) # :nodoc:
        @provider = provider
        @response = response
        @calls = {}
        @kept = {}
      end

      # Yields each piece of text. Returns self.
      def each_text
        return to_enum(__method__) unless block_given?

        each_delta { |text, _| yield text if text }
      end

      # Yields a ToolCall whenever one begins or has grown: its `delta` is what came, its `arguments` all that has come. Returns self.
      def each_tool_call_delta
        return to_enum(__method__) unless block_given?

        each_delta { |_, call| yield call if call }
      end

      # Yields text and nil, or nil and a ToolCall, in the order they come. Returns self.
      def each_delta
        return to_enum(__method__) unless block_given?

        each_found do |found|
          @provider.pieces(found) do |text, call|
            yield text, (grown(**call) if call) if call || !text.empty?
          end
        end
        self
      end

      # All its text. max: bytes; BodyTooLargeError beyond.
      def text(max: Response::MAX_BODY)
        each_text.with_object(+"") do |piece, text|
          raise BodyTooLargeError, "the text is larger than #{max} bytes (max:)" if text.bytesize + piece.bytesize > max

          text << piece
        end
      end

      # Why it ended, in the provider's words ("stop", "tool_calls", "end_turn", "MAX_TOKENS", ...); nil as long as that is open.
      def finish_reason = @kept[:finish_reason]

      # { input_tokens: Integer, output_tokens: Integer }, as far as the provider has said it.
      def usage = @kept.slice(:input_tokens, :output_tokens)

      # As Response#cancel: ends it now, from any thread or fiber.
      def cancel = response.cancel

      def inspect = "#<Streamer::Providers::Answer #{response.status} #{response.request}>"

      private

      def each_found
        kept = declared(:kept)
        paths = { text: declared(:text), **declared(:values), **kept }
        options = %i[format done error].to_h { |part| [part, declared(part)] }.compact
        response.each_value(*paths.values, **options) do |values|
          found = paths.keys.zip(values).to_h
          kept.each_key { |name| @kept[name] = found[name] unless found[name].nil? }
          yield found
        end
      end

      # A call without an index is a whole one.
      def grown(index: nil, **piece)
        index ||= @calls.size
        (@calls[index] ||= ToolCall.new(index)).grow(**piece)
      end

      def declared(part) = @provider.declared(part)
    end
  end
end
