# frozen_string_literal: true

module Streamer
  class Log
    class Followers
      # A store's reads, each shared for a moment by those that ask the same: when a thousand browsers come back at once, the store is asked
      # once. That nothing is there is not remembered.
      class Reads # :nodoc:
        SECONDS = 0.1

        # How many answers are remembered, and how large one may be.
        ANSWERS = 64
        BYTES = 4 * 1024 * 1024
        private_constant :SECONDS, :ANSWERS, :BYTES

        def initialize(store)
          @store = store
          @lock = Mutex.new
          @answers = {} # question => [answer, until when]
        end

        def heads(keys) = shared([:heads, keys]) { @store.heads(keys) }

        def text(key) = shared([:text, key], ->(pieces) { pieces.sum { |piece| piece.text.bytesize } }) { @store.text(key) }

        def read(positions, limit:)
          shared([:read, positions.transform_values(&:to_i)], ->(found) { bytes(found) }) { @store.read(positions, limit: limit) }
        end

        private

        def shared(question, size = nil)
          now = Clock.now
          known, due = @lock.synchronize { @answers[question] }
          return known if known && due > now

          yield.tap do |answer|
            remember(question, answer, now + SECONDS) unless answer.empty? || (size && size.call(answer) > BYTES)
          end
        end

        # The oldest ones stand in front.
        def remember(question, answer, due)
          @lock.synchronize do
            @answers.delete(question)
            @answers[question] = [answer, due]
            @answers.shift while @answers.size > ANSWERS || @answers.first.last.last < due - SECONDS
          end
        end

        def bytes(found) = found.each_value.sum { |batches| batches.sum { |batch| batch.frames.bytesize } }
      end
    end
  end
end
