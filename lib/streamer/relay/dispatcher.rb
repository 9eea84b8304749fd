# frozen_string_literal: true

module Streamer
  class Relay
    # The one Ruby thread that runs people's callbacks for detached streams, each inside the Rails executor. It reads the native
    # thread's notifications and never stands between an upstream and a browser.
    #
    # It starts with the first stream, and again in a forked child. A callback that raises is reported; the others run all the same.
    module Dispatcher # :nodoc:
      @lock = Mutex.new
      @pid = nil

      class << self
        # What wraps each callback: anything with `wrap { }`. The Railtie sets the application's executor.
        attr_writer :executor

        # Starts the stream's relay, and hands it its notifications.
        def follow(stream)
          @lock.synchronize do
            revive unless @pid == Process.pid && @thread.alive?
            @by_relay[stream.relay.id] = stream
          end
          stream.relay.start
        end

        # Runs somebody's code, inside the executor.
        def guard(&callback) = protect { @executor ? @executor.wrap(&callback) : yield }

        private

        def revive
          @by_relay = {} unless @pid == Process.pid
          @pid = Process.pid
          @due = {}      # of streams whose text waits for its moment; the thread's alone, as the next three
          @paused = {}   # of streams that wait for another attempt
          @settling = {} # relay's id => stream that has ended, and whose log is not closed yet; the thread's alone, too
          @next_due = nil
          @thread = Thread.new { run }.tap { |thread| thread.name = "streamer-callbacks" }
        end

        def run
          loop do
            id, notifications = Relay.take_notifications(@next_due && [@next_due - Clock.now, 0].max)
            handle(id, notifications) if id
            see_to_due if @next_due && @next_due <= Clock.now
          end
        end

        def handle(id, notifications)
          ended = notifications.include?(:ended)
          stream = @lock.synchronize { ended ? @by_relay.delete(id) : @by_relay[id] }
          return settle(id) unless stream

          guard { stream.first_event } if notifications.include?(:first)
          if ended
            finish(stream)
          elsif notifications.include?(:text)
            @due[stream] ||= stream.next_text
            @next_due = [@next_due, @due[stream]].compact.min
          end
        end

        def see_to_due
          take_due(@due) { |stream| guard { stream.deliver_text } }
          take_due(@paused) { |stream| resume(stream) }
          @next_due = [*@due.each_value, *@paused.each_value].min
        end

        def take_due(moments)
          moments.select { |_, moment| moment <= Clock.now }.each_key do |stream|
            moments.delete(stream)
            yield stream
          end
        end

        def finish(stream)
          @due.delete(stream)
          delay = protect { stream.advance }
          return close(stream) unless delay
          return resume(stream) if delay.zero?

          @paused[stream] = Clock.now + delay
          @next_due = [@next_due, @paused[stream]].compact.min
        end

        # Ends the stream: first the browser's side, which does not wait for anybody's callback.
        def close(stream)
          protect { stream.conclude }
          stream.settled? ? finish_with(stream) : @settling[stream.relay.id] = stream
        end

        def settle(id)
          stream = @settling[id] or return
          protect { stream.settle }
          finish_with(@settling.delete(id)) if stream.settled?
        end

        def finish_with(stream)
          guard do
            protect { stream.deliver_text }
            stream.finish
          end
          Registry.remove(stream)
        end

        def resume(stream)
          protect { stream.resume } || close(stream)
        end

        # Not even what is no StandardError (NotImplementedError, a stack too deep) may end the thread: all other streams need it.
        def protect
          yield
        rescue Exception => error
          Streamer.report(error)
          nil
        end
      end
    end
  end
end
