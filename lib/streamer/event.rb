# frozen_string_literal: true

require "json"

module Streamer
  # One event of an event stream, as a browser's EventSource would dispatch it.
  class Event
    # "message" where the stream names none.
    attr_reader :type

    # Well-formed UTF-8; several data lines are joined by "\n".
    attr_reader :data

    # The last event ID at this event: "" where the stream has set none.
    attr_reader :id

    # data, type, id: Strings.
    def initialize(data:, type: "message", id: "")
      @type = type
      @data = data
      @id = id
    end

    # The data parsed; raises InvalidJSONError when it is not JSON.
    def json
      @json ||= Extractor.parse(data, nesting: 128)
    end

    # Whether type, data and id are the same.
    def ==(other)
      other.is_a?(Event) && type == other.type && data == other.data && id == other.id
    end

    def inspect = "#<Streamer::Event #{type} id=#{id.inspect} #{data.inspect}>"
  end
end
