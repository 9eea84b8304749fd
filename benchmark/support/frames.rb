# frozen_string_literal: true

require "json"
require_relative "../../test/oracle/event_stream"

module Bench
  # What frames say, however they spell it: [[event, value], ...], read back by the tests' slow oracle, JSON parsed.
  module Frames
    def self.read(outputs)
      bytes = outputs.map { |output| output.dup.force_encoding("UTF-8") }.join
      Oracle::EventStream.new(bytes).events.map { |event| [event.type, JSON.parse(event.data)] }
    end
  end
end
