# frozen_string_literal: true

module Streamer
  class Decoder
    # What marks the end of an upstream's stream, and where its errors are: the `done` and `error` of Decoder, Pipeline, each_event,
    # each_value and relays.
    #
    #   done: "[DONE]"                    the data of an event that is nothing else
    #   done: { event: "message_stop" }   the type of the last event; an Array of types
    #   done: { value: "done" }           a path: the last event has something there, neither null nor false nor ""
    #
    # An event without a type of its own has the one in its data ("type").
    #
    # A body that ends without the marker is a TruncatedError. A Hash may name several, to which "[DONE]" belongs unless it has data:; the
    # first that comes ends the stream. :optional, the default: "[DONE]" is passed over where it comes, and every clean end is accepted.
    # nil: no event is a marker.
    #
    #   error: "error"                    a path: an event that has something there reports the upstream's error, and so does one of the
    #                                     type "error"
    #
    # null, false and "" are no error. Whatever values are wanted of the same event, the error is raised; text in it is delivered first.
    # nil: such events are like any other.
    module Markers
      DONE = "[DONE]" # :nodoc:
      KEYS = %i[data event value].freeze # :nodoc:

      # For C.
      def self.options(done, error) # :nodoc:
        markers = markers_of(done)
        {
          done: text(markers[:data]),
          done_types: Array(markers[:event]).map { |type| text(type) },
          done_path: text(markers[:value]),
          done_required: done != :optional && markers.any?,
          error: text(error)
        }
      end

      class << self
        private

        def markers_of(done)
          case done
          when :optional then { data: DONE }
          when nil then {}
          when String then { data: done }
          when Hash then done.empty? || (done.keys - KEYS).any? ? refuse(done) : { data: DONE }.merge(done)
          else refuse(done)
          end
        end

        def refuse(done)
          raise ArgumentError, "done must be a String, a Hash with data:, event: or value:, :optional, or nil; got #{done.inspect}"
        end

        def text(string) = string && Encoder.utf8(string.to_s)
      end
    end
  end
end
