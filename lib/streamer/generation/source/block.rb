# frozen_string_literal: true

module Streamer
  module Generation
    class Source
      # A block of the application's, with whatever it reads from. What it waits for is not known here, so it is interrupted where it is when
      # the time is over, somebody has asked to stop, or the log is another attempt's.
      class Block < Source # :nodoc:
        def initialize(block)
          super()
          @block = block
        end

        def stream(out, timeouts:, from: nil) # rubocop:disable Lint/UnusedMethodArgument -- it has nothing to be read on from
          result = Patience.new(out, timeouts).watch { @block.call(out) }
          out.usage ||= usage_of(result)
        end

        private

        # What ruby_llm's messages say of it: those of version 2 have `tokens`.
        def usage_of(result)
          names = result.respond_to?(:tokens) ? %i[input output] : %i[input_tokens output_tokens]
          said = result.respond_to?(:tokens) ? result.tokens : result
          return unless names.all? { |name| said.respond_to?(name) }

          %i[input_tokens output_tokens].zip(names.map { |name| said.public_send(name) }).to_h.compact.presence
        end
      end
    end
  end
end
