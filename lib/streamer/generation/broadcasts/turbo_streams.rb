# frozen_string_literal: true

module Streamer
  module Generation
    module Broadcasts
      # Turbo Streams over Action Cable, to `turbo_stream_from generation`. Each says in data-streamer-after and data-streamer-through which range
      # of the log it is; one without `after` stands for all up to `through`.
      module TurboStreams # :nodoc:
        class << self
          def check
            raise Error, "broadcasts_text needs turbo-rails in the Gemfile; without it, say over: :cable" unless defined?(::Turbo::Engine)
          end

          def text(generation, passage, settings)
            broadcast(generation, Actions.text(generation, passage, settings.partial)) if passage.text?
          end

          def state(generation) = broadcast(generation, Actions.state(generation))

          private

          def broadcast(generation, content) = ::Turbo::StreamsChannel.broadcast_stream_to(generation, content: content)
        end
      end
    end
  end
end
