# frozen_string_literal: true

module Streamer
  # How a relayed answer ended; what the block of relay_events gets.
  #
  #   status   :completed, :failed (error says why) or :cancelled (the browser left)
  #   text     the relayed values that are Strings, joined; at most MAX_TEXT bytes, empty for a relay without `value`
  #   error    what ended it, nil when completed
  class Result
    MAX_TEXT = 1024 * 1024

    attr_reader :status, :error

    # Relays, yields the result, and then lets the error pass, if there was one.
    def self.of(upstream, events, value:, event:)
      result = new
      begin
        response = upstream.respond_to?(:each_chunk) ? upstream : upstream.call
        collector = result.method(:collect).to_proc if value && block_given?
        events.relay(response, value: value, event: event, &collector)
        result.finish(:completed)
      rescue StandardError => error
        result.finish(error.is_a?(ClientDisconnected) ? :cancelled : :failed, error)
        raise
      ensure
        result.finish(:cancelled) unless result.status # the server stops the task of a browser that left
        yield result if block_given?
      end
    end

    def initialize
      @text = +""
      @decoder = Decoder.new
    end

    def text = @text.dup

    def collect(frames)
      @decoder.feed(frames) { |event| append(event) }
    end

    def finish(status, error = nil)
      @status = status
      @error = error
    end

    private

    # A relayed value is the one member of an object.
    def append(event)
      value = event.json.values.first
      return unless value.is_a?(String)

      room = MAX_TEXT - @text.bytesize
      @text << (value.bytesize <= room ? value : value.byteslice(0, room).scrub(""))
    end
  end
end
