# frozen_string_literal: true

module Streamer
  module Generation
    # What a job writes into: the generation's log, with an eye on the time and on whether the process is about to end.
    class Output
      # What the provider says that it cost, for the close and the ledger: set by whoever knows it.
      attr_accessor :usage

      def initialize(writer, generation, stopping) # :nodoc:
        @writer = writer
        @generation = generation
        @stopping = stopping
        @looked_at = Clock.now
        generation.broadcast_from(writer)
      end

      # Adds text. self. Raises StoppedError, FencedError, InterruptedError.
      def <<(text)
        look_around
        @writer << text.to_s
        note_first unless @begun || text.to_s.empty?
        self
      end

      # Adds an entry of the application's own, as Log::Writer#append.
      def append(data, event: nil)
        look_around
        @writer.append(data, event: event).tap { @begun || note_first }
      end

      # Says what it is at: an entry `event: state`.
      def state(phase, **data) = @writer.state(phase, **data)

      # The number of the attempt.
      def attempt = @writer.epoch

      # Whether anything was added.
      def begun? = @begun == true

      # Calls the block when the work is to end at once, from another thread: a place to cancel what is waited for.
      def on_stop(&block) = @writer.on_stop(&block)

      private

      def note_first
        @begun = true
        @generation.class.where(id: @generation.id, first_chunk_at: nil).update_all(first_chunk_at: Time.current)
        Sinks::ConnectionPools.release
      end

      # At most once a second.
      def look_around
        return if Clock.now - @looked_at < 1

        @looked_at = Clock.now
        raise InterruptedError, "the worker is about to end" if @stopping.call
      end
    end
  end
end
