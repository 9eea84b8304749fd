# frozen_string_literal: true

module Streamer
  module Generation
    module Broadcasts
      # Over Action Cable, for pages without Turbo: passages as JSON, the last one with the log's close. GenerationChannel is who listens.
      module Cable # :nodoc:
        PURPOSE = "streamer/generation_channel"
        private_constant :PURPOSE

        class << self
          def check
            return if defined?(::ActionCable)

            raise Error, "broadcasts_text over: :cable needs Action Cable: require \"action_cable/engine\" in config/application.rb"
          end

          def text(generation, passage, _settings) = broadcast(generation, passage.to_h)

          # The page has it rendered.
          def state(generation) = broadcast(generation, { status: generation.status })

          # Who has it may listen: for pages of those who may read the generation.
          def signed_name(generation) = verifier.generate(generation.log_key, purpose: PURPOSE)

          # The stream that a signed name is of; nil for anything else.
          def verified_stream(name)
            key = verifier.verified(name, purpose: PURPOSE) if name.is_a?(String)
            key && stream(key)
          end

          private

          def broadcast(generation, message) = ::ActionCable.server.broadcast(stream(generation.log_key), message)

          def stream(key) = "streamer:generation:#{key}"

          def verifier = ::Rails.application.message_verifier(PURPOSE)
        end
      end
    end
  end
end
