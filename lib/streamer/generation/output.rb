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
        @lock = Mutex.new
        @on_stop = []
        @interrupted = false
      end

      # Adds text. self. Raises StoppedError, FencedError, InterruptedError.
      def <<(text)
        check_interrupted
        @writer << text.to_s
        note_first unless @begun || text.to_s.empty?
        self
      end

      # Adds an entry of the application's own, as Log::Writer#append.
      def append(data, event: nil)
        check_interrupted
        @writer.append(data, event: event).tap { @begun || note_first }
      end

      # Says what it is at: an entry `event: state`.
      def state(phase, **data) = @writer.state(phase, **data)

      # The number of the attempt.
      def attempt = @writer.epoch

      # Whether anything was added.
      def begun? = @begun == true

      # Calls the block when the work is to end at once, once, from another thread: a place to cancel what is waited for. What it raises is
      # reported.
      def on_stop(&block)
        once = once(block)
        @writer.on_stop(&once)
        now = @lock.synchronize { @interrupted || !(@on_stop << once) }
        call(once) if now
        self
      end

      # Whether the process is about to end, and the work with it.
      def interrupted? = @interrupted

      # Called now and then, from another thread.
      def look # :nodoc:
        return if interrupted? || !@stopping.call

        blocks = @lock.synchronize do
          @interrupted = true
          @on_stop.slice!(0..)
        end
        blocks.each { |block| call(block) }
      end

      private

      def note_first
        @begun = true
        @generation.class.where(id: @generation.id, first_chunk_at: nil).update_all(first_chunk_at: Time.current)
        Sinks::ConnectionPools.release
      end

      def check_interrupted
        raise InterruptedError, "the worker is about to end" if interrupted?
      end

      def once(block)
        called = false
        -> { block.call unless @lock.synchronize { called.tap { called = true } } }
      end

      def call(block)
        block.call
      rescue StandardError => error
        Streamer.report(error)
      end
    end
  end
end
