# frozen_string_literal: true

require "socket"

require_relative "error_reporter"
require_relative "../sinks/connection_pools"

module Streamer
  module Controller
    # A browser that follows a log, or several: where the server hands its socket over, the native thread has it as soon as it has caught up,
    # and nothing of it is left in Ruby; elsewhere the request's own fiber or thread waits.
    class FollowAction # :nodoc:
      # Milliseconds after which a browser that lost its stream comes back: all of them at once would be too many.
      RETRY = (1000..3000)
      RETRY_ROTATED = (0..500)

      # A planned end comes earlier by this part of its time at most, so that those who came together do not go together.
      JITTER = 0.2

      # Bytes that are read at once where several logs are joined in Ruby.
      READ = 64 * 1024
      private_constant :RETRY, :RETRY_ROTATED, :JITTER, :READ

      # keys and positions: of the logs. rotate: seconds until the planned end, nil for none. retry_time: milliseconds, nil for some.
      # Raises UnknownLogError, StoreUnavailableError.
      def initialize(controller, followers, keys, positions, rotate:, retry_time:)
        @followers = followers
        @keys = keys
        @positions = positions
        @catch_ups = keys.zip(positions).map { |key, position| followers.catch_up(key, position) }
        raise UnknownLogError, keys[modes.index(:gone)] if modes.include?(:gone)

        @rotate = rotate && (rotate * 1000 * (1 - (rand * JITTER))).ceil
        @retry_time = retry_time || rand(RETRY)
        @error_reporter = ErrorReporter.new(controller)
      end

      # Whether the browser has all that there will ever be.
      def over? = modes.all?(:over)

      def failed? = @failed == true

      # Tells the application of each log.
      def notify
        @keys.zip(@positions, modes) do |key, position, mode|
          ActiveSupport::Notifications.instrument("follow.streamer", log: key, position: position.to_s, mode: mode, **@error_reporter.context)
        end
      end

      # Where the server calls the body. Raises only what is no StandardError (a task that is stopped, a thread that is killed).
      def run(sink)
        Sinks::ConnectionPools.release
        sink.write(opening)
        detached = detachable? && sink.detach { |browser| hand_over(browser) }
        follow(sink) unless detached
      rescue BrowserDisconnectedError
        nil
      rescue StandardError => error
        fail_with(error, sink)
      ensure
        sink.close unless detached
        Sinks::ConnectionPools.release
      end

      # Instead of run, where there is nothing to write to.
      def refuse(error) = @error_reporter.report(error)

      # Where the server never calls the body.
      def abandon; end

      private

      def several? = @keys.size > 1

      # Whether the log's own frames are what the browser gets.
      def detachable? = true

      def translate(frames) = frames

      # Of each log, as CatchUp says; :live where it is not needed.
      def modes = @catch_ups.map { |catch_up| catch_up ? catch_up.mode : :live }

      # The id without data is the browser's last event ID from here on, before there is any event.
      def opening = "retry: #{@retry_time}\nid: #{Log::Cursor.dump(@positions)}\n\n"

      def planned_end
        return {} unless @rotate

        { rotate: @rotate, closing: Encoder.encode({ reason: "rotate" }, event: "closing", retry: rand(RETRY_ROTATED)) }
      end

      # Gives the browser away: true.
      def hand_over(browser)
        return dismiss(browser) if Relay::Registry.closing?

        Relay::Registry.drains_at_exit
        combined = Log::Fanout::Combined.new(@positions.map(&:to_i)) if several?
        @keys.each_with_index do |key, index|
          place = [combined, index] if combined
          @followers.receive(Log::Followers::Visit.new(@followers, key, @positions[index], browser, catch_up: @catch_ups[index], combined: place,
                                                       **planned_end))
        end
        Relay::Registry.bid_farewell if Relay::Registry.closing? # since a moment ago
        true
      end

      def dismiss(browser)
        browser.offer(Log::Followers.farewell)
        browser.finish
        true
      end

      def follow(sink)
        return sink.write(Log::Followers.farewell) if Relay::Registry.closing?

        Relay::Registry.drains_at_exit
        several? ? follow_several(sink) : follow_one(sink)
      end

      def follow_one(sink)
        pull = Log::Followers::Pull.new(@followers, @keys.first, @positions.first, catch_up: @catch_ups.first, **planned_end)
        sink.while_connected(pull) { pull.frames { |frames| sink.write(translate(frames)) } }
      end

      # What the native thread joins comes through a pair of sockets.
      def follow_several(sink)
        ours, theirs = ::UNIXSocket.pair
        browser = BrowserSocket.new(theirs, chunked: false, heartbeat: nil, write_timeout: Controller.write_timeout)
        theirs.close
        hand_over(browser)
        sink.while_connected(Closer.new(browser)) { pass_on(ours, sink) }
      ensure
        ours&.close
      end

      # Whole frames, as a sink wants them.
      def pass_on(io, sink)
        bytes = String.new(encoding: Encoding::BINARY)
        loop do
          bytes << io.readpartial(READ)
          whole = bytes.rindex("\n\n")
          sink.write(bytes.slice!(0, whole + 2)) if whole
        end
      rescue EOFError
        nil
      end

      # What ends a stream whose browser has left.
      Closer = Struct.new(:browser) do
        def cancel = browser.finish
      end
      private_constant :Closer

      # Where the store is away the browser is to come back.
      def fail_with(error, sink)
        @failed = true
        @error_reporter.report(error)
        sink.write(@error_reporter.frame(error)) unless error.is_a?(StoreUnavailableError)
      rescue BrowserDisconnectedError
        nil
      end
    end
  end
end
