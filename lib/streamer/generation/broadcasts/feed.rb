# frozen_string_literal: true

module Streamer
  module Generation
    module Broadcasts
      # One generation's broadcasts in one process: how far they have come in the log, and when the next one may be. What waits to be said is in
      # the log and not in here.
      class Feed # :nodoc:
        # Seconds of the Clock before which the next one may not be.
        attr_reader :due

        # after: the Position behind which they begin; without one, what the attempt `epoch` follows on. Without either there is no log any more.
        def initialize(generation, settings, epoch: nil, after: nil)
          @generation = generation
          @settings = settings
          @epoch = epoch
          @after = after
          @due = 0
          @lock = Mutex.new
        end

        # The next passage. True when there is more.
        def broadcast
          @lock.synchronize { !@over && say_next&.full? }
        ensure
          @due = Clock.now + @settings.every
        end

        # All that is left, and the state in which the record is now: for whoever has made that final.
        def finish
          @lock.synchronize do
            sleep([@due - Clock.now, 0].max)
            nil while say_next
            to_each_channel { |channel| channel.state(@generation) }
            @over = true
          end
        end

        private

        def say_next
          passage = next_passage or return
          @after = passage.through
          to_each_channel { |channel| channel.text(@generation, passage, @settings) }
          Instrumentation.publish("broadcast", generation: @generation, after: passage.after.to_s, through: passage.through.to_s)
          passage
        rescue UnknownLogError
          nil
        end

        def next_passage
          return Passage.read(@generation.log, @after) if @after

          Passage.of_attempt(@generation.log, @epoch) if @epoch
        end

        # Whoever listens sees by the next one that this one is missing. Told once, until it works again.
        def to_each_channel
          @settings.channels.each do |channel|
            yield channel
            failing.delete(channel)
          rescue StandardError => error
            Streamer.report(error) if failing.add?(channel)
          end
        end

        def failing = @failing ||= Set.new
      end
    end
  end
end
