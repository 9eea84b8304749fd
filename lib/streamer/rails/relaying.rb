# frozen_string_literal: true

require "securerandom"

require_relative "failure"
require_relative "../sinks/connections"

module Streamer
  # One relay_events: begins in the action, runs where the server calls the body. On a socket that the server has handed over it
  # only starts there, and the request's thread is free; elsewhere it runs to its end in the request's fiber or thread.
  class Relaying # :nodoc:
    DEFAULT_TERMINAL = { event: "done", data: { status: "completed" } }.freeze
    MAX_TEXT = 1024 * 1024

    attr_reader :key, :plan, :on_text, :every, :terminal

    def initialize(controller, upstream, finished, key: nil, terminal: DEFAULT_TERMINAL, on_disconnect: :cancel, on_text: nil, every: 0.1,
                   retry_time: nil, collect: MAX_TEXT, **plan)
      unless %i[cancel continue].include?(on_disconnect)
        raise ArgumentError, "on_disconnect is :cancel or :continue; got #{on_disconnect.inspect}"
      end

      @upstream = upstream
      @finished = finished
      @key = (key || SecureRandom.hex(16)).to_s
      @on_text = on_text
      @every = every
      @outlives_browser = on_disconnect == :continue
      @terminal = terminal && Encoder.encode(terminal[:data], event: terminal[:event])
      @opening = [Encoder.comment, (Encoder.encode(nil, retry: retry_time) if retry_time)].compact.join
      # Text is gathered where somebody can ask for it.
      @plan = Plan.new(collect: (collect if finished || on_text), **plan)
      @failure = Failure.new(controller)
    end

    def outlives_browser? = @outlives_browser

    # Whether anybody listens for the moment of the first event.
    def first_event? = ActiveSupport::Notifications.notifier.listening?("first_event.streamer")

    def notify(event, **payload) = ActiveSupport::Notifications.instrument("#{event}.streamer", payload)

    def error_frame(error) = @failure.frame(error)

    # Where the server calls the body.
    def run(sink)
      Sinks::Connections.release
      sink.write(@opening)
      notify("start", key: key)
      detached = @upstream.is_a?(Request) && sink.detach { |client| detach(client) }
      relay_here(sink) unless detached
    rescue ClientDisconnected => error
      finish(Result.new(key: key, error: error))
    ensure
      sink.close unless detached
    end

    # Once, however it ended.
    def finish(result)
      notify("stream", key: key, status: result.status, reason: result.reason, **result.timings)
      @failure.report(result.error) if %i[failed timed_out].include?(result.status)
      @finished&.call(result)
    end

    private

    # False when the request has to be sent by Ruby.
    def detach(client)
      return false if @upstream.streams_body? || Fiber.current_scheduler

      Streams.start(Stream.new(client, @upstream, self))
      true
    end

    def relay_here(sink)
      here = Here.new(self, sink, @upstream)
      result = Streams.hold(key, here) { here.result }
      sink.write(result.completed? ? terminal.to_s : error_frame(result.error)) unless result.status == :cancelled
    rescue ClientDisconnected
      nil
    ensure
      result ||= Result.new(key: key, error: CancelledError.new("the server ended the stream"))
      finish(result)
    end

    # A relay that runs in the request's own thread or fiber.
    class Here
      def initialize(job, sink, upstream)
        @job = job
        @sink = sink
        @upstream = upstream
        @given = 0
        @last_text = now
      end

      def stop(reason)
        @stop_reason ||= reason
        @response&.cancel
        true
      end

      def result
        started = now
        begin
          relay
        rescue Error => error
          failure = error
        end
        deliver_text(@pipeline) if @pipeline && @job.on_text
        Result.new(key: @job.key, text: @pipeline&.text.to_s, kept: @pipeline&.kept || {}, error: failure,
                   reason: (@stop_reason if failure.is_a?(CancelledError)),
                   timings: { first_event: @first_event && @first_event - started, duration: now - started,
                              frames: @pipeline&.frames, bytes: @sink.bytes })
      end

      private

      def relay
        @response = @upstream.is_a?(Request) ? @upstream.call : @upstream
        raise CancelledError, "stopped" if @stop_reason

        @sink.relay_here(@response, @job.plan, outlives_browser: @job.outlives_browser?) do |pipeline|
          @pipeline = pipeline
          note_first_event if pipeline.events.positive? && @first_event.nil?
          deliver_text(pipeline) if @job.on_text && now - @last_text >= @job.every
        end
      end

      def note_first_event
        @first_event = now
        @job.notify("first_event", key: @job.key)
      end

      def deliver_text(pipeline)
        @last_text = now
        text = pipeline.text_from(@given)
        @given += text.bytesize
        @job.on_text.call(text) unless text.empty?
      end

      def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
    private_constant :Here
  end
end
