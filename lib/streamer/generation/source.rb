# frozen_string_literal: true

module Streamer
  module Generation
    # Where a generation's text comes from: a provider's Chat, a Request, or a block of the application's. This is the one that can do least.
    class Source # :nodoc:
      autoload :Block, "streamer/generation/source/block"
      autoload :Chat, "streamer/generation/source/chat"
      autoload :Request, "streamer/generation/source/request"

      # Raises ArgumentError.
      def self.of(upstream, value, block)
        raise ArgumentError, "stream_into takes an upstream or a block, one of them" if upstream.nil? == block.nil?
        return Block.new(block) if block
        return Chat.new(upstream) if upstream.is_a?(Providers::Chat)
        raise ArgumentError, "stream_into takes a provider's chat or a Request; got #{upstream.class}" unless upstream.is_a?(Streamer::Request)
        raise ArgumentError, "a Request needs value:, the path of its text" unless value

        Request.new(upstream, value)
      end

      # Writes all of it into the Output, and returns when it has ended. timeouts: seconds by name, see Policy. from: a ResumePoint of one that is
      # resumable. Yields the name that the provider gives to a response which can be read on. Raises what went wrong.
      def stream(_out, timeouts:, from: nil) = raise(NotImplementedError)

      # Whether what is cut off may be read on.
      def resumable? = false

      # The ResumePoint behind what was written; nil where it cannot be read on.
      def point = nil

      # Ends at its provider what goes on there although nobody reads it. Waits, and raises nothing.
      def cancel(_response_id) = nil

      private

      # What a request may take, so that it is neither longer than the job allows nor than its client does; sent once, since the ledger has a
      # row for each request.
      def bounded(timeouts, own)
        totals = [own[:total], timeouts[:total]].select { |seconds| seconds&.positive? }
        { **own, **timeouts, total: totals.min }
      end
    end
  end
end
