# frozen_string_literal: true

module Streamer
  module Generation
    # Where a generation's text comes from: a provider's Chat, a Request, or a block of the application's.
    class Source # :nodoc:
      def self.of(upstream, value, block)
        raise ArgumentError, "stream_into takes an upstream or a block, one of them" if upstream.nil? == block.nil?
        return new(&block) if block
        return new { |out| read_chat(upstream, out) } if upstream.respond_to?(:each_text)
        raise ArgumentError, "a Request needs value:, the path of its text" unless value

        new { |out| read_request(upstream, value, out) }
      end

      def self.read_chat(chat, out)
        call = Sinks::UpstreamCall.new(chat.request)
        out.on_stop { call.cancel }
        completion = chat.read(call.response)
        completion.each_text { |text| out << text }
        out.usage = completion.usage
      end

      def self.read_request(request, value, out)
        call = Sinks::UpstreamCall.new(request)
        out.on_stop { call.cancel }
        call.response.ensure_success!.each_value(value) { |text| out << text }
      end
      private_class_method :read_chat, :read_request

      def initialize(&block)
        @block = block
      end

      def stream(out) = @block.call(out)
    end
  end
end
