# frozen_string_literal: true

module Streamer
  # What marks the end of an upstream's stream, and where its errors are: the `done` and `error` of each_event, each_value, Pipeline and
  # relays.
  #
  #   done: "[DONE]"                    the data of an event that is nothing else
  #   done: { event: "message_stop" }   the type of the last event; an Array of types
  #   done: { value: "done" }           a path: the last event has something there, neither null nor false nor ""
  #
  # A body that ends without the mark is a TruncatedError; a Hash may name several, to which "[DONE]" belongs unless it has data:, and the
  # first that comes is it. :optional, the default: "[DONE]" is passed over where it comes, and every orderly end is one. nil: no event is
  # a mark.
  #
  #   error: "error"                    a path: an event that has something there is the upstream's error, and so is one of the type "error"
  #
  # It is looked for where it may be: in events that lack the values that are wanted, and, where all events are, behind the first key. nil:
  # such events are like any other.
  module Watch # :nodoc:
    MARKER = "[DONE]"
    KEYS = %i[data event value].freeze

    # For C: the data, types and path that mark the end, whether one must come, and the path of errors.
    def self.options(done, error)
      marks = marks_of(done)
      types = Array(marks[:event]).map { |type| text(type) }
      [text(marks[:data]), types, text(marks[:value]), done != :optional && marks.any?, text(error)]
    end

    class << self
      private

      def marks_of(done)
        case done
        when :optional then { data: MARKER }
        when nil then {}
        when String then { data: done }
        when Hash then done.empty? || (done.keys - KEYS).any? ? refuse(done) : { data: MARKER }.merge(done)
        else refuse(done)
        end
      end

      def refuse(done)
        raise ArgumentError, "done is a String, a Hash with data:, event: or value:, :optional, or nil; got #{done.inspect}"
      end

      def text(string) = string&.to_s&.encode(Encoding::UTF_8)
    end
  end
  private_constant :Watch
end
