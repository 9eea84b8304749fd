# frozen_string_literal: true

module Streamer
  class Log
    class Followers
      # One log that has readers in this process: how far it was read from the store, and the Fanout that its entries go to. covers? and join
      # may be called from any thread; all else is for the one of Followers.
      class Feed # :nodoc:
        # Bytes of entries that are published together.
        BLOCK = 64 * 1024

        # Of what the fanout keeps for readers that join, with what a block costs beside its entries: a little less than it is.
        KEPT = 48 * 1024
        OVERHEAD = 160
        private_constant :BLOCK, :KEPT, :OVERHEAD

        attr_reader :key

        # A Position: everything through it was published.
        attr_reader :position

        # When a reader last joined.
        attr_accessor :joined_at

        # recovering: whether its readers know that nobody writes.
        def initialize(key, position, recovering: false)
          @key = key
          @position = position
          @recovering = recovering
          @fanout = Fanout.new(position.to_i)
          @kept = [[position, 0]] # [through, bytes] of what was published lately
          @kept_bytes = 0         # of all but the first
        end

        def readers = @fanout.readers

        # Whether nothing is to come any more.
        def over? = @over == true

        # Whether that is because the log was closed, and its readers know.
        def closed? = @closed == true

        # Whether readers have been told that nobody writes.
        def recovering? = @recovering

        # What a reader has to know beside the entries; nil for nothing.
        def phase
          return "recovering" if recovering?

          "queued" if position == Position::START
        end

        # Whether a reader at this position gets all that is behind it without a look into the store.
        def covers?(position) = !over? && position.between?(@kept.first.first, @position)

        # As Fanout#join.
        def join(browser, position, **options) = @fanout.join(browser, position.to_i, **options)

        # What was read of the log behind the position.
        def publish(batches)
          new = batches.drop_while { |batch| batch.last <= position }
          until new.empty? || over?
            return retire unless CatchUp.follows?(position, new.first)

            publish_block(new)
          end
        end

        # How the log is; nil when it is gone. patience: seconds for which readers wait for a log that has lost its end, which its writer may
        # still have.
        def look(head, patience)
          return retire if head.nil? || head.pruned > position || left_behind?(head, patience)
          return end_with_close if head.closed? && head.position == position

          tell(true) if head.overdue? && !recovering?
          tell(false) if head.leased? && recovering?
        end

        # Ends it, and the log is not closed: readers come back, and get then what there is for them.
        def retire
          return if over?

          @over = true
          @fanout.finish
        end

        private

        # Takes as many batches from the list as go together.
        def publish_block(batches)
          first = [batches.first.first, position.next].max
          frames = String.new(encoding: Encoding::BINARY)
          attempt = false
          while (batch = batches.first) && frames.bytesize < BLOCK && CatchUp.follows?(position, batch)
            attempt ||= batch.first.sequence.zero?
            frames << batches.shift.after(position)
            @position = batch.last
            @closed = true if batch.state
          end
          @fanout.publish(frames, first.to_i, position.to_i)
          keep(frames.bytesize)
          tell(false) if attempt && recovering? && !closed?
          end_with_close if closed?
        end

        def end_with_close
          @over = true
          @fanout.finish
        end

        def keep(bytes)
          @kept << [position, bytes + OVERHEAD]
          @kept_bytes += bytes + OVERHEAD
          while @kept_bytes > KEPT && @kept.size > 1
            @kept.shift
            @kept_bytes -= @kept.first.last
          end
        end

        def tell(recovering)
          @recovering = recovering
          @fanout.notice(CatchUp.notice(recovering ? "recovering" : "running"))
        end

        def left_behind?(head, patience)
          return (@behind_since = nil) || false if head.position >= position

          @behind_since ||= Clock.now
          Clock.now - @behind_since > patience
        end
      end
    end
  end
end
