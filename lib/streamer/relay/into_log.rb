# frozen_string_literal: true

require_relative "carrier"
require_relative "detached"

module Streamer
  class Relay
    # One upstream's answer in the native thread's care, on its way into a log. Its entries wait in C until the thread of Carrier gives them to
    # the log's writer, which never makes it wait: where the writer has no room they stay in C, and the upstream is paused when too many do.
    # The end of the upstream is followed by the log's: Dispatcher begins it, and goes on when the committer's thread has brought it about.
    class IntoLog < Detached # :nodoc:
      # job: a Log::Intake. Raises CircuitOpenError.
      def initialize(writer, request, job)
        @writer = writer
        @storing = Mutex.new
        super(nil, request, job)
        writer.on_stop { stop(writer.stopped? ? :stopped : :fenced) }
      end

      def stop(reason)
        super
        @relay.abandon if @writer.over?
      end

      # Those who follow the log are told by whoever holds them.
      def announce_closing(_seconds); end

      # Gives the writer what waits, as far as it has room; this is called again when it has. On the thread of Carrier.
      def store
        @storing.synchronize { give_to_writer unless @given }
        @relay.tell_dispatcher if @result
      end

      def conclude
        @result = result
        settle
      ensure
        @exchange.judge(nil) # an attempt that was admitted and not begun
      end

      # Goes on with the end, each time that something has happened.
      def settle
        @storing.synchronize do
          give_to_writer unless @given
          @given = !@held # all of it, and nobody asks the writer again
        end
        return unless @given

        @result = result(@refused) if @refused
        @ending ||= @job.end_log(@writer, @result) { @relay.tell_dispatcher }
        settle_result if settled?
      end

      def settled? = @ending ? @ending.call : @result.nil?

      def finish
        leave
        super
      end

      # It is not going to begin.
      def leave = Carrier.leave(@relay)

      private

      def relay_to(request)
        leave if @relay
        wanted = [@job.first_event? || !request.circuit.nil?, !@job.on_text.nil?]
        Relay.new(nil, request.prepare(native: true), @job.options, notify: wanted).tap { |relay| Carrier.follow(relay, self) }
      end

      def give_to_writer
        return if @refused

        @held = !@writer.offer_frames(-> { @relay.remind }) { @relay.take_entries }
      rescue LogError => error # the writer takes nothing more: it need not, or this is too much
        @held = false
        @refused = error
        @relay.stop
        @relay.abandon
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
