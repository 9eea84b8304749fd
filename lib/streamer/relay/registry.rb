# frozen_string_literal: true

require "streamer/relay/dispatcher"
require "streamer/relay/detached"

module Streamer
  class Relay
    # The relay_events streams of this process: detached ones (Detached) and those that run in their request's thread or fiber (Inline).
    # A stream has key, stop(reason) and announce_closing(seconds). A forked child begins with none.
    module Registry
      # Seconds that streams have to finish, where config.streamer.drain_timeout does not say.
      DRAIN_TIMEOUT = 25

      # Seconds that browsers which follow logs have to take their last bytes in.
      LEAVING = 2
      private_constant :DRAIN_TIMEOUT, :LEAVING

      @lock = Mutex.new
      @pid = nil

      class << self
        # Takes on a Detached and starts it. It is here until its last callback has returned.
        def start(stream)
          add(stream)
          Dispatcher.follow(stream)
        rescue StandardError
          remove(stream)
          raise
        end

        # A stream that is here while the block runs; returns the block's value.
        def hold(stream)
          add(stream)
          yield
        ensure
          remove(stream)
        end

        def remove(stream)
          synchronize do
            others = @by_key.fetch(stream.key, []) - [stream]
            others.empty? ? @by_key.delete(stream.key) : @by_key[stream.key] = others
          end
        end

        # Ends all streams with this key; false when there are none.
        def stop(key) = synchronize { @by_key.fetch(key, []) }.each { |stream| stream.stop(:stopped) }.any?

        # Ends all streams.
        def stop_all = synchronize { all }.each { |stream| stream.stop(:stopped) }

        # What else ends with the process: Log::Followers, once it is there, with open and bid_farewell(spread).
        attr_writer :followers

        # Number of streams.
        def size = synchronize { @by_key.each_value.sum(&:size) }

        # Says good-bye, for the process's end: each browser gets `event: closing` with a `retry` of its own, spread over `spread` seconds;
        # the streams have `seconds` to finish; those that are left are stopped, and their callbacks have a second. Streams that begin
        # meanwhile are told at once. Everything else in the process goes on. A second call waits for the end that the first has set.
        #
        # Browsers that follow logs get the same and the end of their response at once: they go on in another process.
        def drain(seconds = drain_timeout, spread: 5.0)
          told = synchronize do
            next [] if @closing

            @closing = { deadline: Clock.now + seconds, spread: spread }
            all
          end
          bid_farewell
          told.each { |stream| announce(stream) }
          wait_empty(@closing[:deadline]) { @hurried }
          synchronize { all }.each { |stream| stream.stop(:shutdown) }
          wait_empty(Clock.now + 1)
          wait_until_left
        end

        # Whether that has begun.
        def closing? = synchronize { !@closing.nil? }

        # Whether there is anybody to say good-bye to.
        def busy? = size.positive? || followers.positive?

        # Says so to the browsers that follow logs.
        def bid_farewell = @followers&.bid_farewell(@closing[:spread])

        # From now on the process's exit is a time to drain.
        def drains_at_exit = synchronize { watch_exit }

        # Whoever ended the process by Ctrl-C need not wait for it: the server's own handler of the signal has done its work by now.
        def drain_at_exit
          return unless busy?

          Signal.trap(:INT) { @hurried = true }
          $stderr.puts "streamer: #{size} open relay_events, which have #{drain_timeout} s to finish; Ctrl-C ends them now" if size.positive?
          drain
        end

        private

        def drain_timeout = Streamer.drain_timeout || DRAIN_TIMEOUT

        def add(stream)
          closing = synchronize do
            @by_key[stream.key] = [*@by_key[stream.key], stream]
            watch_exit
            @closing
          end
          announce(stream) if closing
        end

        def watch_exit
          return if @at_exit

          at_exit { drain_at_exit }
          @at_exit = true
        end

        def followers = @followers ? @followers.open : 0

        # Browsers that follow logs have been told; a slow one need not have heard it.
        def wait_until_left
          deadline = [@closing[:deadline], Clock.now + LEAVING].min
          sleep(0.01) while followers.positive? && Clock.now < deadline
        end

        def announce(stream) = stream.announce_closing(1 + rand(0.0..@closing[:spread]))

        def all = @by_key.values.flatten

        # Until there are no streams, the moment has come, or the block says true.
        def wait_empty(deadline)
          sleep(0.01) while size.positive? && Clock.now < deadline && !(block_given? && yield)
        end

        def synchronize
          @lock.synchronize do
            unless @pid == Process.pid
              @pid = Process.pid
              @by_key = {}
              @closing = nil
            end
            yield
          end
        end
      end
    end
  end
end
