# frozen_string_literal: true

require_relative "utf8"

module Oracle
  # The WHATWG HTML Standard, 9.2.5 and 9.2.6, step by step over a whole stream. Slow, and meant to be read beside the standard.
  #
  #   stream = Oracle::EventStream.new("id: 1\ndata: a\n\n")
  #   stream.events          # [Event(type: "message", data: "a", id: "1")]
  #   stream.last_event_id   # "1"
  #   stream.retry           # nil, or Integer milliseconds
  class EventStream
    Event = Struct.new(:type, :data, :id)

    # Saturation is ours; the standard has no largest number.
    MAX_RETRY = (2**63) - 1

    attr_reader :events, :last_event_id, :retry

    def initialize(bytes)
      @events = []
      @last_event_id = ""
      @retry = nil
      @data = +""
      @type = +""
      @id = ""
      lines(UTF8.decode(bytes)).each { |line| read(line) }
    end

    private

    # The ended lines. A rest without an end is part of an unfinished event, which is discarded.
    def lines(text)
      text.scan(/([^\r\n]*)(?:\r\n|\n|\r)/).flatten
    end

    def read(line)
      if line.empty?
        dispatch
      elsif line.start_with?(":")
        nil
      elsif line.include?(":")
        name, value = line.split(":", 2)
        field(name, value.delete_prefix(" "))
      else
        field(line, "")
      end
    end

    def field(name, value)
      case name
      when "event" then @type = value
      when "data" then @data << value << "\n"
      when "id" then @id = value unless value.include?("\0")
      when "retry" then @retry = [value.to_i, MAX_RETRY].min if value.match?(/\A[0-9]+\z/)
      end
    end

    def dispatch
      @last_event_id = @id
      @events << Event.new(@type.empty? ? "message" : @type, @data.delete_suffix("\n"), @last_event_id) unless @data.empty?
      @data = +""
      @type = +""
    end
  end
end
