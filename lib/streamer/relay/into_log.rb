# frozen_string_literal: true

require_relative "detached"

module Streamer
  class Relay
    # One upstream's answer in the native thread's care, on its way into a log. Its entries wait in C until the thread of Dispatcher gives
    # them to the log's writer, which never makes it wait: where the writer has no room they stay in C, and the upstream is paused when too
    # many do. The end of the upstream is followed by the log's, which somebody else's thread brings about.
    class IntoLog < Detached # :nodoc:
      # job: a Log::Intake. Raises CircuitOpenError.
      def initialize(writer, request, job)
        @writer = writer
        super(nil, request, job)
        writer.on_stop { stop(writer.stopped? ? :stopped : :fenced) }
      end

      def stop(reason)
        super
        @relay.abandon if @writer.over?
      end

      # Those who follow the log are told by whoever holds them.
      def announce_closing(_seconds); end

      # Gives the writer what waits, as far as it has room; otherwise this is called again when it has.
      def store
        @held = !@writer.offer_frames(-> { @relay.remind }) { @relay.take_entries }
      rescue LogError => error
        @held = false
        lose(error)
      end

      def conclude
        @result = result
        settle
      ensure
        @exchange.judge(nil) # an attempt that was admitted and not begun
      end

      # Goes on with the end, each time that something has happened.
      def settle
        store unless @refused || @ending
        return if @held

        @ending ||= @job.end_log(@writer, @result) { @relay.remind }
        settle_result if settled?
      end

      def settled? = @ending ? @ending.call : @result.nil?

      private

      def relay_to(request)
        Relay.new(nil, request.prepare(native: true), @job.options, notify: [@job.first_event? || !request.circuit.nil?, !@job.on_text.nil?])
      end

      # The writer takes nothing more: because it need not, or because this is too much.
      def lose(error)
        @refused ||= error
        @relay.stop
        @relay.abandon
        @result = result(@refused) if @result
      end

      def failure
        return @refused if @refused
        return super unless @relay.left?

        Error.new("out of memory for the entries that wait for the log's store").concerning(@exchange.request.to_s)
      end

      # What has become of the log is what has become of the answer.
      def settle_result
        error = @job.log_error(@writer)
        @result = result(error) if error
      end
    end
  end
end
