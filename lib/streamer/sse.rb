# frozen_string_literal: true

require_relative "sinks/cork"

module Streamer
  # Takes the place of ActionController::Live::SSE in a controller that includes ActionController::Live:
  #
  #   sse = Streamer::SSE.new(response.stream, retry: 300, event: "progress")
  #   sse.write({ step: 1 }, id: 7)
  #   sse.close
  #
  # The same methods and options, and three differences: text with any line break arrives line by line, an option that
  # SSE cannot carry raises ArgumentError instead of becoming another field, and on Puma each event is on the wire at
  # once (see Sinks::Cork; nothing but this one stream is changed). Like Rails' own it lets ActionController::Live::ClientDisconnected
  # pass and knows no heartbeats: stream_events has them.
  class SSE
    FIELDS = %i[event id retry].freeze # :nodoc:

    # `stream`: response.stream, or anything with `write` and `close`. `options` hold for every event that does not say
    # otherwise.
    def initialize(stream, options = {})
      @stream = stream
      @options = fields(options)
      Sinks::Cork.release_for(stream)
    end

    # `object`: a String as it is, anything else as JSON.
    def write(object, options = {})
      data = object.is_a?(String) ? object : ActiveSupport::JSON.encode(object)
      @stream.write(Encoder.encode(data, **@options, **fields(options)))
    end

    # Ends the stream.
    def close
      @stream.close
    end

    private

    # Rails takes an Integer as id, a Symbol as event, and passes over what it does not know.
    def fields(options)
      options = options.transform_keys(&:to_sym).slice(*FIELDS).compact
      options.to_h { |name, value| [name, name == :retry ? value : value.to_s] }
    end
  end
end
