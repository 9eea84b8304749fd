# frozen_string_literal: true

module Streamer
  module Generation
    # What a job writes into: the generation's log, with an eye on the time and on whether the process is about to end.
    class Output
      # What the provider says that it cost, for the close and the ledger: set by whoever knows it.
      attr_accessor :usage

      # Bytes of text that were added; when something was last added, in seconds of Clock, nil before.
      attr_reader :bytes, :added_at # :nodoc:

      def initialize(writer, generation, stopping) # :nodoc:
        @writer = writer
        @generation = generation
        @stopping = stopping
        @bytes = 0
        @lock = Mutex.new
        @on_stop = []
        @interrupted = false
        generation.broadcast_from(writer)
      end

      # Adds text; nil is none. self. Raises StoppedError, FencedError, InterruptedError.
      def <<(text)
        text = text.to_s
        adding(text.bytesize) { @writer << text } unless text.empty?
        self
      end

      # Adds an entry of the application's own, as Log::Writer#append.
      def append(data, event: nil)
        adding(0) { @writer.append(data, event: event) }
      end

      # Adds text, and in the same entry where its provider can be read on behind it.
      def add_with_cursor(text, cursor) # :nodoc:
        adding(text.bytesize) { @writer.append({ content: text, cursor: cursor }, event: "token") }
      end

      # Says what it is at: an entry `event: state`.
      def state(phase, **data) = @writer.state(phase, **data).tap { @added_at = Clock.now }

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
        Streamer.guard(&once) if now
        self
      end

      # Why nothing can be added any more, an error; nil while something can.
      def refusal # :nodoc:
        return @writer.refusal unless @interrupted

        InterruptedError.new("the worker is about to end")
      end

      # Called now and then, from another thread: whether the process is about to end, and the work with it.
      def look # :nodoc:
        return if @interrupted || !@stopping.call

        blocks = @lock.synchronize do
          @interrupted = true
          @on_stop.slice!(0..)
        end
        blocks.each { |block| Streamer.guard(&block) }
      end

      private

      def adding(bytes)
        raise refusal if @interrupted

        result = yield
        @bytes += bytes
        @added_at = Clock.now
        note_first unless @begun
        result
      end

      # That the statistics miss it is no reason to end the answer.
      def note_first
        @begun = true
        @generation.class.where(id: @generation.id, first_chunk_at: nil).update_all(first_chunk_at: Time.current)
      rescue ::ActiveRecord::ActiveRecordError => error
        Streamer.report(error)
      ensure
        Sinks::ConnectionPools.release
      end

      def once(block)
        called = false
        -> { block.call unless @lock.synchronize { called.tap { called = true } } }
      end
    end
  end
end
