# frozen_string_literal: true

require_relative "../upstream"
require_relative "beats"

module Streamer
  module Testing
    class EventStream
      # The Rack application as one request sees it: an event stream's body goes to the test, part by part, on its way to whoever made the
      # request. The request runs in a thread, and stands still in each part until the test wants more.
      class Tap # :nodoc:
        Left = Class.new(IOError)

        # The block makes the request.
        def initialize(app, clock)
          @app, @clock = app, clock
          @beats = Beats.new(clock)
          @lock = Mutex.new
          @changed = ConditionVariable.new
          @parts = []
          @wanted = @left = @ended = false
          @thread = Thread.new do
            @thread = Thread.current # it may offer before `new` has returned
            run { yield self }
          end
        end

        def call(env)
          status, headers, body = @app.call(env)
          headers.any? { |name, value| name.casecmp?("content-type") && value.start_with?("text/event-stream") } or
            return [status, headers, body].tap { answered(status, headers) }

          @beats.slow(env["action_controller.instance"])
          answered(status, headers)
          [status, headers, Body.new(self, body)]
        end

        # [status, headers], or nil when they do not come in time. Raises what the application raised.
        def head(seconds)
          synchronize { wait(seconds) { @head || @ended } }
          raise @error if @error

          @head
        end

        # What was written since the last time, [[bytes, at], ...], after letting the request go on if that is nothing; [] at its end, nil when
        # it does not come in time.
        def take(seconds)
          synchronize do
            @wanted = true
            @changed.broadcast
            arrived = wait(seconds) { @parts.any? || @ended }
            @wanted = false
            @parts.slice!(0..) if arrived
          end
        end

        # A part of the body; raises as the write of a server does whose browser has left.
        def offer(bytes)
          @beats.written
          synchronize do
            @parts << [bytes, @clock.now] unless @left
            @changed.broadcast
            @changed.wait(@lock) until @left || (@wanted && @parts.empty?) || Thread.current != @thread
            raise Left, "the test has left the stream" if @left
          end
        end

        def leave
          synchronize do
            @left = true
            @parts.clear
            @changed.broadcast
          end
          @beats.beat
        end

        def ended? = synchronize { @ended && @parts.empty? }
        def wait_ended(seconds) = synchronize { wait(seconds) { @ended } }
        def backtrace = @thread.backtrace.to_a

        # What the request answers with: something with a body.
        def body = wait_ended(EventStream::PATIENCE) && @response.body

        private

        def run
          Thread.current.report_on_exception = false
          Thread.current.thread_variable_set(Sinks::Heartbeat::TIMER, @beats)
          @response = yield
        rescue Exception => error # whatever it is, it is the test's
          @error = error
        ensure
          synchronize do
            @ended = true
            @changed.broadcast
          end
        end

        def answered(status, headers)
          synchronize do
            @head = [status, headers.to_h]
            @changed.broadcast
          end
        end

        def synchronize(&block) = @lock.synchronize(&block)

        # Whether it became so in time. Within the lock.
        def wait(seconds)
          deadline = Upstream.now + seconds
          until (reached = yield)
            left = deadline - Upstream.now
            break unless left.positive?

            @changed.wait(@lock, left)
          end
          reached
        end

        # An event stream's body.
        class Body # :nodoc:
          def initialize(tap, body)
            @tap, @body = tap, body
          end

          def each
            @body.each do |part|
              @tap.offer(part)
              yield part
            end
          rescue Left
            nil # the request ends here, as far as it came
          end

          def close = @body.respond_to?(:close) && @body.close
        end
        private_constant :Body
      end
      private_constant :Tap
    end
  end
end
