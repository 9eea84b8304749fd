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
        @looked_at = Clock.now
        @bytes = 0
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

      # Calls the block when the work is to end at once, from another thread: a place to cancel what is waited for.
      def on_stop(&block) = @writer.on_stop(&block)

      # Why nothing can be added any more, an error; nil while something can.
      def refusal = @writer.refusal # :nodoc:

      private

      def adding(bytes)
        look_around
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

      # At most once a second.
      def look_around
        return if Clock.now - @looked_at < 1

        @looked_at = Clock.now
        raise InterruptedError, "the worker is about to end" if @stopping.call
      end
    end
  end
end
