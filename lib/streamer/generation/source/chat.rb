# frozen_string_literal: true

module Streamer
  module Generation
    class Source
      # A provider's chat. One in the background goes on while nobody reads, and is read on where it was cut off.
      class Chat < Source # :nodoc:
        # Seconds that the provider may take to be told that nobody wants the rest.
        CANCEL = { connect: 2, first_byte: 3, first_event: 3, total: 5 }.freeze
        private_constant :CANCEL

        attr_reader :point

        def initialize(chat)
          super()
          @chat = chat
        end

        def resumable? = @chat.resumable?

        def stream(out, timeouts:, from: nil, &known)
          @point = from
          chat = from ? @chat.resume(from.response_id, after: from.cursor) : @chat
          chat = chat.once(bounded(timeouts, chat.request.timeouts))
          call = Sinks::UpstreamCall.new(chat.request)
          out.on_stop { call.cancel }
          read(chat.completion(call.response), out, from, &known)
        rescue UpstreamError
          @point = nil # that is how it ended
          raise
        end

        def cancel(response_id)
          request = @chat.cancellation(response_id)
          request.with(timeouts: request.timeouts.merge(CANCEL)).call.read
        rescue Error => error
          Streamer.report(error)
        end

        private

        def read(completion, out, from, &known)
          return completion.each_text { |text| out << text } unless resumable?

          response_id = from&.response_id
          completion.on_response_id { |id| response_id ||= id.tap { begun(id, &known) } }
          completion.each_text do |text|
            out.add_with_cursor(text, completion.cursor)
            @point = ResumePoint.new(response_id, completion.cursor)
          end
        ensure
          out.usage = completion.usage.presence
        end

        # Before the first text, so that a worker that is killed then leaves behind what it had asked for.
        def begun(id)
          yield id
          @point = ResumePoint.new(id, nil)
        end
      end
    end
  end
end
