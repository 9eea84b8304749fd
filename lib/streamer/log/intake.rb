# frozen_string_literal: true

module Streamer
  class Log
    # One relay of an upstream's answer into a log: what was asked for, and what becomes of it. What the native thread does for it is in
    # Relay::IntoLog.
    class Intake # :nodoc:
      # Bytes of text that are gathered for the result.
      MAX_TEXT = 1024 * 1024

      # What relays to a browser have and a log has not, and what there is in its place.
      ELSEWHERE = {
        id_prefix: "the log numbers its entries",
        id_start: "the log numbers its entries",
        flush: "the log's writer batches entries by itself",
        terminal: "the log's last entry is its close; add to it by close:",
        retry: "follow_events says when a browser comes back",
        on_disconnect: "a log's answer goes on when a browser leaves; stop it by Log#stop"
      }.freeze
      private_constant :MAX_TEXT, :ELSEWHERE

      attr_reader :on_text, :every

      # The log's, once it has begun.
      attr_reader :key, :options

      # closes: whether the log's end is the answer's. close: what its close says besides, a Hash or what is called with the result and returns
      # one. interrupted: :close or :release. origin: who asks, see Origin. Raises ArgumentError.
      def initialize(upstream, closes: true, close: {}, interrupted: :close, origin: Origin.new, on_text: nil, every: 0.1, collect: MAX_TEXT,
                     **options)
        @upstream, declared = Relay::Options.of(upstream)
        check(close, interrupted, on_text, every, options)
        @settings = settings(declared.merge(options), collect)
        @closes = closes
        @close = close
        @releases = interrupted == :release
        @origin = origin
        @on_text = on_text
        @every = every
        @options = relay_options(Position.new(1, 0)) # says now what would be wrong with every one
        @over = Thread::Queue.new
      end

      # The Result, when all is over. Whatever interrupts the wait ends the upstream, and its log as interrupted: says.
      def run(writer)
        running = start(writer)
        result = @over.pop
      ensure
        running&.stop(:interrupted) unless result
      end

      # Begins, and returns what can be stopped; the end is told to finished, if there is such a block, on the thread of Dispatcher.
      def start(writer, &finished)
        @finished = finished
        @writer = writer.lend
        @key = writer.key
        @options = relay_options(writer.position) unless writer.position == Position.new(1, 0)
        @origin.notify("start", key: key, epoch: writer.epoch)
        native? ? start_natively : run_here
      end

      # Whether the native thread can do it alone; otherwise Ruby has begun to read it, or has a part in sending it.
      def native? = @upstream.is_a?(Request) && !@upstream.streams_body?

      def first_event? = @origin.listened_to?("first_event")

      def tell_first_event(seconds) = @origin.notify("first_event", key: key, seconds: seconds)

      def tell_text(text)
        @origin.guard { @on_text.call(text) } unless text.empty?
      end

      # Begins the end of the log, or of what is done to it; returns what says whether all is done. Calls the block when that may have changed.
      def end_log(writer, result, &changed)
        return -> { true } unless @closes
        return release(writer, &changed) if @releases && interrupted?(result)

        begin_close(writer, *closing(result), &changed)
        -> { writer.outcome }
      end

      # What the log's own end makes of the result, an error; nil where they agree.
      def log_error(writer) = (writer.refusal if %i[fenced overdue broken stopped].include?(writer.outcome))

      # Once, however it ended.
      def finish(result)
        @writer.give_back
        @origin.notify("stream", key: key, epoch: @writer.epoch, status: result.status, reason: result.reason, **result.timings)
        @origin.guard { @origin.report(result.error) } if %i[failed timed_out].include?(result.status)
        @origin.guard { @finished.call(result) } if @finished
      ensure
        @over << result
      end

      private

      def check(close, interrupted, on_text, every, options)
        raise ArgumentError, "close is a Hash, or what is called with the result and returns one; got #{close.inspect}" unless data?(close)
        raise ArgumentError, "interrupted is :close or :release; got #{interrupted.inspect}" unless %i[close release].include?(interrupted)
        raise ArgumentError, "on_text must respond to #call (got #{on_text.class})" unless on_text.nil? || on_text.respond_to?(:call)
        raise ArgumentError, "every is a number of seconds; got #{every.inspect}" unless every.is_a?(Numeric) && every >= 0

        name = options.keys.find { |key| ELSEWHERE.key?(key) }
        raise ArgumentError, "#{name}: is for a relay to a browser; #{ELSEWHERE[name]}" if name
      end

      def data?(close) = close.is_a?(Hash) || close.respond_to?(:call)

      def settings(given, collect)
        frame, event = given.fetch(:frame, :json), given.fetch(:event, "token")
        raise ArgumentError, "frame: #{frame.inspect} has no object whose `content` is the log's text; leave it out" unless frame == :json
        if Frames::RESERVED.include?(event.to_s)
          raise ArgumentError, "#{event.inspect} is the log's own name for an event; take another (its own: #{Frames::RESERVED.join(", ")})"
        end

        { **given, value: value(given[:value]), event: event, collect: collect, reserved: Frames::RESERVED,
                   max_event: [given[:max_event] || Writer::MAX_ENTRY, Writer::MAX_ENTRY].min }
      end

      # A single path is that of the text.
      def value(value)
        value.is_a?(String) || value.is_a?(Symbol) ? { content: value.to_s } : value
      end

      # Of the entries behind a position.
      def relay_options(position)
        Relay::Options.new(**@settings, id_prefix: "#{position.epoch}-", id_start: position.sequence + 1)
      end

      def start_natively
        stream = Relay::IntoLog.new(@writer, @upstream, self)
        Relay::Registry.start(stream)
        stream
      rescue StandardError => error
        stream&.leave
        refuse(error)
        Relay::Result.new(key: key, error: error)
      end

      # In the caller's own thread or fiber.
      def run_here
        stream = InlineIntake.new(@writer, @upstream, self)
        Relay::Registry.hold(stream) { stream.run }
        stream
      ensure
        finish(stream.result) if stream
      end

      # An application's data may be no JSON.
      def begin_close(writer, state, data, &changed)
        writer.begin_close(state, data, &changed)
      rescue StandardError => error
        @origin.guard { @origin.report(error) }
        writer.begin_close("failed", failure("internal"), &changed)
      end

      # It could not even begin.
      def refuse(error)
        result = Relay::Result.new(key: key, error: error)
        state, data = closing(result)
        @writer.close(state, **data) if @closes
      rescue LogError
        nil # the log is another's
      ensure
        finish(result)
      end

      def interrupted?(result) = result.status == :cancelled && %i[shutdown interrupted].include?(result.reason)

      # The state in which the log ends, and what its close says.
      def closing(result)
        data = @close.respond_to?(:call) ? own_data(result) : @close
        case result.status
        when :completed then ["completed", data]
        when :cancelled then interrupted?(result) ? ["failed", { reason: "interrupted", **failure("interrupted"), **data }] : ["cancelled", data]
        else [result.status.to_s, { **failure(Error.name_of(result.error), result.error), **data }]
        end
      end

      def own_data(result)
        data = {}
        Relay::Dispatcher.guard { @origin.guard { data = @close.call(result).to_h } }
        data
      end

      def failure(name, error = nil) = { error: name, message: @origin.message(error) }

      # On a thread of its own: it waits for the store.
      def release(writer, &changed)
        over = false
        Thread.new do
          writer.release
        rescue LogError
          nil # the log is another's, or closed
        ensure
          over = true
          changed.call
        end
        -> { over }
      end
    end
  end
end
