# frozen_string_literal: true

module Streamer
  module Providers
    # A call of one of the application's tools, while its arguments arrive.
    class ToolCall
      # Bytes of one call's arguments; EventTooLargeError beyond.
      MAX_ARGUMENTS = 16 * 1024 * 1024

      # Integer; tells calls of one answer apart. id, name: Strings; nil where the provider has not said them (yet).
      attr_reader :index, :id, :name

      # JSON text: all that has come, and what came last.
      attr_reader :arguments, :delta

      def initialize(index) # :nodoc:
        @index = index
        @arguments = +""
      end

      # The arguments parsed, {} where there are none. Raises InvalidJSONError while they are incomplete.
      def json
        arguments.strip.empty? ? {} : JSON.parse(arguments)
      rescue JSON::ParserError => error
        raise InvalidJSONError, "the arguments of #{name} are not valid JSON: #{error.message[0, 200]}"
      end

      def grow(id: nil, name: nil, arguments: nil) # :nodoc:
        @id ||= id
        @name ||= name
        @delta = arguments.to_s
        if @arguments.bytesize + @delta.bytesize > MAX_ARGUMENTS
          raise EventTooLargeError, "the arguments of a tool call are larger than #{MAX_ARGUMENTS} bytes"
        end

        @arguments << @delta
        self
      end

      def inspect = "#<Streamer::Providers::ToolCall #{index} #{name} #{arguments.bytesize} bytes>"
    end
  end
end
