# frozen_string_literal: true

module Streamer
  module Stores
    class Redis
      # What the server's replies mean.
      module Reply # :nodoc:
        class << self
          # As log.lua writes it; nil for none.
          def head(key, reply)
            return unless reply

            epoch, sequence, state, text_epoch, pruned, compacted, stop, owner, leased, interrupted, bytes, created = reply
            Log::Head.new(key: key, state: presence(state), epoch: epoch, sequence: sequence, text_epoch: text_epoch, pruned: position(pruned),
                          compacted: position(compacted), stop_epoch: stop, owner: presence(owner), leased: leased == 1,
                          interrupted: interrupted, bytes: bytes, created_at: Time.at(Rational(created, 1000)))
          end

          # Of a stream's entries, [id, ["n", first, "f", frames]] and with "s" the state.
          def batches(entries)
            entries.map do |id, (_, first, _, frames, _, state)|
              last = position(id)
              batch(last, first, frames, state)
            end
          end

          # The batch that a log was closed with, of its hash's fields; nil while it is open, or without its entries is not all there.
          def close((epoch, sequence, first, frames, state, whole))
            batch(Log::Position.new(epoch.to_i, sequence.to_i), first, frames, state) if frames && whole
          end

          # Of a stream's entries, [id, ["t", text, "e", events]].
          def pieces(entries)
            entries.map do |id, (_, text, _, events)|
              Log::Piece.new(through: position(id), text: binary(text), events: binary(events))
            end
          end

          private

          def batch(last, first, frames, state)
            Log::Batch.new(first: Log::Position.new(last.epoch, first.to_i), last: last, frames: binary(frames), state: state)
          end

          def position(id)
            epoch, sequence = id.split("-")
            Log::Position.new(epoch.to_i, sequence.to_i)
          end

          def presence(text) = text.empty? ? nil : text

          # The client takes for text what could be text.
          def binary(string) = string.force_encoding(Encoding::BINARY)
        end
      end
    end
  end
end
