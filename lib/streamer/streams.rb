# frozen_string_literal: true

require "securerandom"

module Streamer
  # The relays of this process that go on by themselves, after their request's thread has left them to the native thread.
  #
  # One Ruby thread, started with the first of them and anew in a forked child, reads the native thread's board and runs people's
  # callbacks, each inside the Rails executor. It never stands between an upstream and a browser.
  module Streams
    class << self
      # Wraps each callback; a Railtie sets it to the application's executor.
      attr_writer :executor

      # Takes a Stream on and starts it.
      def start(stream)
        @lock.synchronize do
          revive unless @pid == Process.pid
          @by_key[stream.key] = stream
        end
        run(stream)
      end

      def stop(key)
        stream = @lock.synchronize { @by_key[key] if @pid == Process.pid }
        stream ? !!stream.stop(:stopped) : false
      end

      # A stream that runs in its own request's thread or fiber, while it can be stopped.
      def hold(key, stoppable)
        @lock.synchronize do
          revive unless @pid == Process.pid
          @by_key[key] = stoppable
        end
        yield
      ensure
        @lock.synchronize { @by_key.delete(key) }
      end

      # Number of streams that go on.
      def open = @lock.synchronize { @pid == Process.pid ? @by_key.size : 0 }

      # Says good-bye: each browser is told to come back later, at moments spread over `spread` seconds; then all have `seconds` to
      # finish; then those that are left end. Other requests go on meanwhile. Called at the process's exit, and earlier by the
      # Puma plugin. The second call waits for what is left.
      def drain(seconds, spread: 5.0)
        return if open.zero?

        deadline = now + seconds
        all.each { |stream| stream.announce_closing(rand(1.0..1.0 + spread)) } unless @draining
        @draining = true
        sleep(0.02) while open.positive? && now < deadline
        all.each { |stream| stream.stop(:shutdown) }
        last = now + 1
        sleep(0.005) while open.positive? && now < last
      end

      # Starts the relay of a stream, or of the answer it was redirected to.
      def run(stream)
        relay = stream.relay
        @lock.synchronize { @by_relay[relay.id] = stream }
        relay.start
      end

      private

      def revive
        @pid = Process.pid
        @by_key = {}
        @by_relay = {}
        @due = {}
        @draining = false
        @thread = Thread.new { dispatch }.tap { |thread| thread.name = "streamer-callbacks" }
        at_exit { drain(Streamer.drain) if @pid == Process.pid }
      end

      def all = @lock.synchronize { @by_key.values.grep(Stream) }

      def dispatch
        loop do
          id, news = Relay.take_news(delay)
          stream = id && @lock.synchronize { @by_relay[id] }
          handle(stream, id, news) if stream
          @due.select { |_, moment| moment <= now }.each_key { |waiting| deliver_text(waiting) }
        end
      end

      def handle(stream, id, news)
        guard { stream.first_event } if news.include?(:first)
        @due[stream] ||= stream.next_text if news.include?(:text)
        finish(stream, id) if news.include?(:ended)
      end

      def deliver_text(stream)
        @due.delete(stream)
        guard { stream.deliver_text }
      end

      def finish(stream, id)
        @lock.synchronize { @by_relay.delete(id) }
        return if guard { stream.redirect }

        deliver_text(stream) if stream.text?
        guard { stream.finish }
      ensure
        @lock.synchronize { @by_key.delete(stream.key) } unless @lock.synchronize { @by_relay.value?(stream) }
      end

      # One callback's failure is its own: it is reported, and the thread goes on.
      def guard(&callback)
        @executor ? @executor.wrap(&callback) : yield
      rescue StandardError => error
        Streamer.report(error)
        nil
      end

      def delay
        moment = @due.each_value.min
        moment && [moment - now, 0].max
      end

      def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    @lock = Mutex.new
    @pid = nil
  end

  # One relay_events answer in the native thread's care.
  class Stream # :nodoc:
    attr_reader :key, :relay

    # job: what relay_events was asked for (see rails/relaying.rb).
    def initialize(client, request, job)
      @client = client
      @request = request
      @job = job
      @key = job.key
      @relay = relay_to(request)
    end

    def stop(reason)
      @stop_reason ||= reason
      @relay.stop
    end

    def announce_closing(seconds)
      @client.write(Encoder.encode({ reason: "shutdown" }, event: "closing", retry: (seconds * 1000).round))
    rescue ClientDisconnected
      nil
    end

    def first_event = @job.notify("first_event", key: key, seconds: @relay.measures[:first_event])

    def text? = @job.on_text

    # When the text that has come may be handed out.
    def next_text = @last_text ? @last_text + @job.every : Process.clock_gettime(Process::CLOCK_MONOTONIC)

    def deliver_text
      @last_text = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      text = @relay.take_text
      @job.on_text.call(text) unless text.empty?
    end

    # Follows a redirect; true when there was one.
    def redirect
      return if @stop_reason

      following = @relay.redirect_of(@request)
      return unless following

      @request = following
      @relay = relay_to(following)
      Streams.run(self)
      true
    rescue RedirectError => error
      @failure = error
      nil
    end

    def finish
      result = self.result
      end_browser(result)
    ensure
      @job.finish(result)
    end

    private

    def relay_to(request)
      Relay.new(@client, request.start, @job.plan, news: [@job.first_event?, !@job.on_text.nil?],
                                                   outlives_browser: @job.outlives_browser?, terminal: @job.terminal)
    end

    def result
      measures = @relay.measures
      error = @failure || failure
      Result.new(key: key, text: @relay.text, kept: @relay.kept, timings: measures, error: error,
                 reason: (@stop_reason if error.is_a?(CancelledError)))
    end

    def failure
      @relay.verify(@request)
      nil
    rescue Error => error
      error
    end

    # A complete answer's terminal event was sent by the native thread already.
    def end_browser(result)
      @client.write(@job.error_frame(result.error)) unless result.completed? || result.status == :cancelled
    rescue ClientDisconnected
      nil
    ensure
      @client.finish
    end
  end
end
