# frozen_string_literal: true

module Streamer
  module Stores
    class Redis
      # A connection that gets what is published on a channel, and the thread that has it to itself: it makes it, reads it, makes another one
      # when it breaks, and closes it.
      class Subscription # :nodoc:
        # Seconds: of silence before the server is asked whether it is there, and again until it is taken for lost; between attempts to
        # connect, first and at most; and until the subscription has to be acknowledged.
        SILENCE = 5
        FIRST_PAUSE = 0.05
        LONGEST_PAUSE = 2.0
        PATIENCE = 2.0
        private_constant :SILENCE, :FIRST_PAUSE, :LONGEST_PAUSE, :PATIENCE

        # Raised in the thread where it waits, to end it.
        Stop = Class.new(StandardError)
        private_constant :Stop

        # Yields the keys of each message, and nil when messages may have been missed.
        def initialize(server, channel, silence: SILENCE, &block)
          @server = server
          @channel = channel
          @silence = silence
          @block = block
          @subscribed = false
          @tried = Thread::Queue.new # closed once it was: fibers of any scheduler can wait for that
          @thread = Thread.new do
            Thread.handle_interrupt(Stop => :never) { run }
          rescue Stop
            nil # when it had ended already
          ensure
            @tried.close
          end
          @thread.name = "streamer-redis"
        end

        def subscribed? = @subscribed

        # Until the server has acknowledged the subscription, or could not be reached.
        def wait
          @tried.pop
          nil
        end

        # Returns at once; the thread ends as soon as it waits for something.
        def stop
          @stopped = true
          @thread.raise(Stop)
        end

        private

        def run
          @pause = FIRST_PAUSE
          until @stopped
            failure = listen
            set(false)
            report(failure) if failure
            interruptible { sleep(@pause * rand(0.5..1.0)) }
            @pause = [@pause * 2, LONGEST_PAUSE].min
          end
        rescue Stop
          nil
        end

        # Until the connection breaks: the error that it broke with.
        def listen
          connection = interruptible { @server.subscriber.pubsub }
          connection.call("SUBSCRIBE", @channel)
          handle(interruptible { connection.next_event(PATIENCE) } || raise(silent(PATIENCE)))
          handle(receive(connection)) until @stopped
        rescue Stop
          raise
        rescue StandardError => error
          error
        ensure
          connection&.close
        end

        def receive(connection)
          event = interruptible { connection.next_event(@silence) } and return event

          connection.call("PING")
          interruptible { connection.next_event(@silence) } or raise silent(@silence)
        end

        def silent(seconds) = ::RedisClient::ReadTimeoutError.new("no answer for #{seconds} s")

        def handle(event)
          raise event if event.is_a?(::RedisClient::Error)

          kind, _, message = event
          case kind
          when "message" then @block.call(Wake.load(message))
          when "subscribe"
            @pause = FIRST_PAUSE
            set(true)
            @block.call(nil) # somebody may have spoken before
          end
        end

        # What does not pass by itself is said once.
        def report(failure)
          return if Failure.translate(failure).is_a?(StoreUnavailableError) || failure.message == @reported

          @reported = failure.message
          Streamer.report(failure)
        end

        def set(subscribed)
          @subscribed = subscribed
          @tried.close
        end

        # Where the thread waits for others it can be ended; nowhere else, so that nobody's block is torn.
        def interruptible(&wait) = Thread.handle_interrupt(Stop => :immediate, &wait)
      end
    end
  end
end
